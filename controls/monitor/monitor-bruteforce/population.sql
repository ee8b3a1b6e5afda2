-- Whether an attempt succeeded is text; what does not say YES counts as failed. A sign-in at an unknown time may have followed a burst.
with attempts as (
  select
    l.source, l.night, l.user_name, coalesce(l.client_ip, 'unknown') as client_ip,
    upper(l.is_success) is distinct from 'YES' and not coalesce(list_contains(c.ignore_error_codes, l.error_code), false) as failed,
    l.login_details ->> '$.malicious_ip_protection_info' is not null as flagged,
    l.night = c.night or l.event_timestamp > c.night::timestamp - to_minutes(c.window_minutes + c.success_minutes) as near,
    l.night = c.night and l.event_timestamp is null as undated
  from snowflake.login_history l
  cross join params c
  where coalesce(upper(l.event_type), 'LOGIN') = 'LOGIN'
)
select distinct source || '/user ' || user_name as item, source, 'user' as kind, user_name as who
from attempts
where ((failed and near) or undated) and user_name is not null
union all
select distinct source || '/ip ' || client_ip, source, 'ip', client_ip from attempts where (failed and near) or (flagged and night = (select night from params))
union all
select distinct source || '/unknown users', source, 'unknown', '' from snowflake.login_history
