with attempts as (
  select
    l.source, l.night, l.event_id, l.event_timestamp, l.user_name, coalesce(l.client_ip, 'unknown') as client_ip,
    upper(l.is_success) = 'YES' as success,
    upper(l.is_success) is distinct from 'YES' and not coalesce(list_contains(c.ignore_error_codes, l.error_code), false) as failed,
    try_cast(l.login_details ->> '$.malicious_ip_protection_info' as json) as protection,
    l.login_details ->> '$.malicious_ip_protection_info' is not null as flagged
  from snowflake.login_history l
  cross join params c
  where coalesce(upper(l.event_type), 'LOGIN') = 'LOGIN'
),
-- a burst is complete with the attempt before which n_user - 1 others lie within the window
user_failures as (
  select
    a.source, a.user_name, a.night, a.event_timestamp,
    lag(a.event_timestamp, c.n_user - 1) over (partition by a.source, a.user_name order by a.event_timestamp, a.event_id) as first_of_window,
    c.window_minutes
  from attempts a
  cross join params c
  where a.failed and a.user_name is not null
),
bursts as (
  select source, user_name, night, event_timestamp from user_failures where first_of_window >= event_timestamp - to_minutes(window_minutes)
),
user_hits as (
  select
    b.source, b.user_name,
    bool_or(b.night = c.night) as tonight,
    bool_or(s.event_timestamp is not null) as then_success
  from bursts b
  cross join params c
  left join attempts s
    on s.source = b.source and s.user_name = b.user_name and s.success and s.night = c.night
    and s.event_timestamp >= b.event_timestamp and s.event_timestamp <= b.event_timestamp + to_minutes(c.success_minutes)
  group by all
),
unclear as (
  select distinct source, user_name, client_ip from attempts where failed and (event_timestamp is null or success is null)
),
-- only addresses that failed for enough users at all can have sprayed
wide as (
  select a.source, a.client_ip
  from attempts a
  cross join params c
  where a.failed
  group by a.source, a.client_ip, c.n_spray
  having count(distinct a.user_name) >= c.n_spray
),
ip_windows as (
  select
    a.source, a.client_ip, a.night,
    count(distinct a.user_name) over (
      partition by a.source, a.client_ip order by a.event_timestamp range between to_minutes(c.window_minutes) preceding and current row
    ) as users,
    c.n_spray, c.night as tonight
  from attempts a
  cross join params c
  join wide w on w.source = a.source and w.client_ip = a.client_ip
  where a.failed
),
sprays as (
  select distinct source, client_ip from ip_windows where users >= n_spray and night = tonight
),
-- an answer that is not plainly harmless is a hit
malicious as (
  select distinct a.source, a.client_ip
  from attempts a
  cross join params c
  where a.flagged and a.night = c.night
    and not coalesce(upper(a.protection ->> '$.riskClassification') in ('NONE', 'LOW', 'SAFE') and upper(a.protection ->> '$.result') not like 'BLOCK%', false)
),
counts as (
  select
    a.source, a.user_name, a.client_ip, count(*) as failures
  from attempts a
  cross join params c
  where a.failed and a.night = c.night
  group by all
),
per_user as (
  select source, user_name, sum(failures)::bigint as failures from counts group by all
),
per_ip as (
  select source, client_ip, sum(failures)::bigint as failures, count(distinct user_name) as users from counts group by all
),
unclear_users as (
  select distinct source, user_name from unclear
),
unclear_ips as (
  select distinct source, client_ip from unclear
),
judged as (
  select
    p.item, p.kind,
    coalesce(u.failures, i.failures, n.failures, 0) as failures,
    i.users,
    case
      when p.kind = 'user' and coalesce(h.then_success, false) then 'success-after-burst'
      when p.kind = 'user' and coalesce(h.tonight, false) then 'burst-user'
      when p.kind = 'user' and x.source is not null then 'unknown-value'
      when p.kind = 'ip' and m.client_ip is not null then 'malicious-ip'
      when p.kind = 'ip' and s.client_ip is not null then 'spray-ip'
      when p.kind = 'ip' and y.source is not null then 'unknown-value'
      when p.kind = 'unknown' and coalesce(n.failures, 0) >= c.n_unknown then 'unknown-users'
      when p.kind in ('user', 'ip', 'unknown') then ''
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
  left join user_hits h on p.kind = 'user' and h.source = p.source and h.user_name = p.who
  left join per_user u on p.kind = 'user' and u.source = p.source and u.user_name = p.who
  left join unclear_users x on p.kind = 'user' and x.source = p.source and x.user_name = p.who
  left join malicious m on p.kind = 'ip' and m.source = p.source and m.client_ip = p.who
  left join sprays s on p.kind = 'ip' and s.source = p.source and s.client_ip = p.who
  left join per_ip i on p.kind = 'ip' and i.source = p.source and i.client_ip = p.who
  left join unclear_ips y on p.kind = 'ip' and y.source = p.source and y.client_ip = p.who
  left join per_user n on p.kind = 'unknown' and n.source = p.source and n.user_name is null
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  failures || ' failed that night' || case when kind = 'ip' then ', of ' || coalesce(users, 0) || ' users' else '' end as observed,
  'no burst, no spray, no sign-in after a burst' as expected
from judged
