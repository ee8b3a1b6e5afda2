with writes as (
  select
    source || '/' || coalesce(user_name, 'unknown user') || ' as ' || coalesce(role_name, 'unknown role') || ' in ' || coalesce(database_name, 'unknown database') || '.' || coalesce(schema_name, '?') as item,
    source, query_id, session_id, user_name, role_name, start_time, database_name, schema_name, platform,
    regexp_extract(lower(query_tag), '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}') as tagged
  from fact.prod_statement
  where is_write
),
captured as (
  select distinct lower(i.invocation_id) as id from dbt.invocations i cross join params c where i.executed and list_contains(c.targets, i.target_name)
),
results as (
  select distinct r.query_id from dbt.run_results r cross join params c where r.executed and list_contains(c.targets, r.target_name)
),
-- a task's procedure writes in the session of the task
own_sessions as (
  select distinct q.source, q.session_id
  from snowflake.query_history q
  join (select source, query_id from snowflake.task_history union select source, query_id from snowflake.dynamic_table_refresh_history) t
    on t.source = q.source and t.query_id = q.query_id
),
tickets as (
  select user_name, approved_at, window_start, coalesce(window_end, expires_at) as until
  from records.tickets
  where type in ('change', 'break_glass') and status in ('approved', 'in_progress', 'resolved', 'closed') and approver <> requester and approver <> user_name
),
judged as (
  select
    w.item, w.start_time,
    case
      when d.tool = 'dbt' and (i.id is not null or r.query_id is not null) then 0
      when d.tool = 'loader' and (list_contains(d.schemas, w.database_name || '.' || w.schema_name) or list_contains(d.schemas, w.database_name || '.*')) then 0
      when w.platform and s.session_id is not null then 0
      when exists (select 1 from tickets t where t.user_name = w.user_name and w.start_time >= t.approved_at and w.start_time >= coalesce(t.window_start, t.approved_at) and w.start_time <= t.until) then 0
      when w.user_name is null or (w.role_name is null and not w.platform) then 9
      when d.tool = 'dbt' then 5
      when d.tool = 'loader' then 4
      when x."user" is not null then 3
      when i.id is not null or r.query_id is not null then 2
      else 1
    end as rank
  from writes w
  left join register.deployers d on d."user" = w.user_name and d.role = w.role_name
  left join (select distinct "user", role from register_expired.deployers) x on x."user" = w.user_name and x.role = w.role_name
  left join captured i on i.id = w.tagged
  left join results r on r.query_id = w.query_id
  left join own_sessions s on s.source = w.source and s.session_id = w.session_id
),
worst as (
  select item, max(rank) as rank, count(*) as writes, count(case when rank > 0 then 1 end) as loose, min(case when rank > 0 then start_time end) as first_time from judged group by item
)
select
  p.item,
  case when w.rank = 0 then 'pass' else 'fail' end as result,
  case w.rank
    when 0 then '' when 1 then 'not-attributed' when 2 then 'tag-alone' when 3 then 'registration-expired' when 4 then 'outside-schemas' when 5 then 'no-invocation'
    else 'unknown-value'
  end as reason,
  w.writes || ' write' || if(w.writes = 1, '', 's') || ', ' || w.loose || ' not attributed' || coalesce(', first ' || strftime(w.first_time, '%Y-%m-%d %H:%M'), '') as observed,
  'a captured invocation, a loader in its schemas, a task, or an approved change' as expected
from population p
left join worst w on w.item = p.item
