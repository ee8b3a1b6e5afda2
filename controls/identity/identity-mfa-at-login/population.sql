-- What does not say NO may have succeeded. A name is a service's only if every user that had it was one.
with machines as (
  select source, user_name, bool_and(coalesce(upper(user_type) = 'SERVICE', false) or kind = 'platform') as machine
  from fact.user
  group by all
)
select
  l.source || '/' || coalesce(l.user_name, 'unknown user') || ' with ' || coalesce(upper(l.first_authentication_factor), 'unknown factor') as item,
  l.user_name,
  upper(l.first_authentication_factor) as factor,
  count(*) as logins,
  count(*) filter (where nullif(trim(l.second_authentication_factor), '') is null) as single,
  count(*) filter (where upper(l.is_success) is distinct from 'YES') as unclear
from snowflake.login_history l
cross join params c
left join machines m on m.source = l.source and m.user_name = l.user_name
where coalesce(upper(l.event_type), 'LOGIN') = 'LOGIN'
  and upper(l.is_success) is distinct from 'NO'
  and not coalesce(list_contains(c.ignore_client_ips, l.client_ip), false)
  and m.machine is distinct from true
group by all
