-- SECONDARY_ROLE_STATS is JSON whose lists hold role ids, or names.
with stats as (
  select distinct source, secondary_role_stats as secondary from snowflake.query_history
),
stat_values as (
  select source, secondary, unnest(json_extract_string(secondary, '$.*[*]')) as value from stats
),
lent as (
  select distinct v.source, v.secondary::varchar as secondary
  from stat_values v
  cross join params p
  left join snowflake.roles r on r.source = v.source and r.role_id::varchar = v.value
  where list_contains(p.admin_roles, coalesce(r.name, v.value))
),
tonight as (
  select
    q.source, q.query_id, q.user_name, q.session_id, q.start_time, q.role_name,
    coalesce(list_contains(p.routine_types, upper(q.query_type)), false) as routine,
    list_contains(p.admin_roles, q.role_name) or l.source is not null as admin
  from snowflake.query_history q
  cross join params p
  left join lent l on l.source = q.source and l.secondary = q.secondary_role_stats::varchar
  where q.night = p.night
),
users as (
  select source, user_name, bool_or(kind = 'service') as service, bool_and(kind = 'platform') as platform from fact.user group by all
),
phi as (
  select source, query_id, bool_or(state = 'read') as reads, bool_or(state <> 'read') as unclear from fact.phi_access group by all
),
requests as (
  select
    unnest(list_distinct([lower(requester), lower(owner), lower(user_name)])) as who, lower(approver) as approver,
    greatest(coalesce(window_start, approved_at), approved_at) as starts, coalesce(window_end, expires_at) as ends
  from records.tickets
  where type in ('change', 'break_glass') and status in ('approved', 'in_progress', 'resolved', 'closed')
),
acts as (
  select
    t.source, t.user_name, t.session_id, u.service and not list_contains(p.allow_service_admin, t.user_name) as service, f.reads, f.unclear,
    t.routine or exists (
      select 1 from requests r
      where r.who = lower(t.user_name) and r.approver <> r.who
        and t.start_time >= r.starts - to_minutes(p.tolerance_minutes) and t.start_time <= r.ends + to_minutes(p.tolerance_minutes)
    ) as covered
  from tonight t
  cross join params p
  cross join settings s
  left join users u on u.source = t.source and u.user_name = t.user_name
  left join phi f on f.source = t.source and f.query_id = t.query_id
  where t.admin and not list_contains(s.platform_users, t.user_name) and not coalesce(u.platform, false)
)
select
  source || '/' || user_name || ' session ' || coalesce(session_id::varchar, '?') as item, true as session,
  count(*) as statements, count(*) filter (where not covered) as uncovered, count(*) filter (where reads) as reads,
  service, count(*) filter (where unclear) as unclear
from acts
group by source, user_name, session_id, service
union all
select source || '/unattributed statements', false, count(*), 0, 0, false, count(*) filter (where user_name is null or role_name is null)
from tonight
group by source
