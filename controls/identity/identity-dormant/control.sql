-- GREATEST is NULL in Snowflake as soon as one argument is; each argument is filled, so that both engines agree.
with logins as (
  select source, user_name, max(event_timestamp) as last from snowflake.login_history where upper(is_success) = 'YES' group by all
),
statements as (
  select source, user_name, max(start_time) as last from snowflake.query_history group by all
),
looked_at as (
  select
    p.item, p.max_idle_days,
    b."user" is not null as emergency,
    greatest(
      coalesce(p.last_success_login, timestamp '1900-01-01 00:00:00'),
      coalesce(l.last, timestamp '1900-01-01 00:00:00'),
      coalesce(q.last, timestamp '1900-01-01 00:00:00')
    ) as last_use,
    c.as_of
  from population p
  cross join params c
  left join logins l on l.source = p.source and l.user_name = p.user_name
  left join statements q on q.source = p.source and q.user_name = p.user_name
  left join (select distinct "user" from register.break_glass) b on b."user" = p.user_name
),
judged as (
  select
    *,
    case
      when emergency or last_use >= as_of - to_days(max_idle_days::integer) then ''
      when last_use = timestamp '1900-01-01 00:00:00' then 'never-used'
      when last_use < as_of - to_days(max_idle_days::integer) then 'idle'
      else 'unknown-value'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when reason = 'never-used' then 'no use known' else 'last used ' || coalesce(strftime(last_use, '%Y-%m-%d'), 'at an unknown time') end as observed,
  'used within ' || max_idle_days || ' day' || if(max_idle_days = 1, '', 's') as expected
from judged
