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
  where a.failed
),
bursts as (
  select source, user_name, night, event_timestamp from user_failures where first_of_window >= event_timestamp - to_minutes(window_minutes)
),
user_hits as (
  select
    b.source, b.user_name,
    case when bool_or(s.event_timestamp is not null) then 1 when bool_or(b.night = c.night) then 2 end as rank
  from bursts b
  cross join params c
  left join attempts s
    on s.source = b.source and s.user_name = b.user_name and s.success and s.night = c.night
    and s.event_timestamp >= b.event_timestamp and s.event_timestamp <= b.event_timestamp + to_minutes(c.success_minutes)
  group by all
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
  where a.failed and (a.source, a.client_ip) in (select source, client_ip from wide)
),
sprays as (
  select distinct source, client_ip from ip_windows where users >= n_spray and night = tonight
),
failures as (
  select a.source, a.user_name, a.client_ip, count(*) as failures, bool_or(a.event_timestamp is null or a.success is null) as unclear
  from attempts a
  cross join params c
  where a.failed and a.night = c.night
  group by all
),
counts as (
  select source, case when user_name is null then 'unknown' else 'user' end as kind, coalesce(user_name, '') as who, sum(failures)::bigint as failures, 0 as users, bool_or(unclear) as unclear
  from failures
  group by all
  union all
  select source, 'ip', client_ip, sum(failures)::bigint, count(distinct user_name), bool_or(unclear) from failures group by all
),
-- an address that Snowflake flagged is a hit unless its answer is plainly harmless
hits as (
  select source, 'user' as kind, user_name as who, rank from user_hits
  union all
  select source, 'ip', client_ip, 5 from sprays
  union all
  select distinct a.source, 'ip', a.client_ip, 4
  from attempts a
  cross join params c
  where a.flagged and a.night = c.night
    and not coalesce(upper(a.protection ->> '$.riskClassification') in ('NONE', 'LOW', 'SAFE') and upper(a.protection ->> '$.result') not like 'BLOCK%', false)
  union all
  select n.source, n.kind, n.who, 6
  from counts n
  cross join params c
  where n.kind = 'unknown' and n.failures >= c.n_unknown
  union all
  select source, kind, who, case kind when 'user' then 3 else 7 end from counts where kind <> 'unknown' and unclear
  union all
  select distinct a.source, 'user', a.user_name, 3
  from attempts a
  cross join params c
  where a.night = c.night and a.event_timestamp is null
),
first_hits as (
  select source, kind, who, min(rank) as rank from hits group by all
)
select
  p.item,
  case when coalesce(h.rank, 0) = 0 then 'pass' else 'fail' end as result,
  case h.rank
    when 1 then 'success-after-burst' when 2 then 'burst-user' when 4 then 'malicious-ip' when 5 then 'spray-ip' when 6 then 'unknown-users'
    when 3 then 'unknown-value' when 7 then 'unknown-value' else ''
  end as reason,
  coalesce(n.failures, 0) || ' failed that night' || case when p.kind = 'ip' then ', of ' || coalesce(n.users, 0) || ' user' || if(coalesce(n.users, 0) = 1, '', 's') else '' end as observed,
  'no burst, no spray, no sign-in after a burst' as expected
from population p
left join first_hits h on h.source = p.source and h.kind = p.kind and h.who = p.who
left join counts n on n.source = p.source and n.kind = p.kind and n.who = p.who
