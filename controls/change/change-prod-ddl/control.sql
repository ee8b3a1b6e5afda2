with changes as (
  select
    f.source, f.user_name, f.role_name, f.start_time as changed_at, f.database_name, f.schema_name, f.query_type,
    f.source || '/' || coalesce(f.user_name, 'unknown user') || ' as ' || coalesce(f.role_name, 'unknown role') || ' in ' || coalesce(f.database_name, 'unknown database') as item,
    true as statement, s.client_application_id as client, l.client_private_link_id as endpoint, string_split(l.client_ip, '.') as ip
  from fact.prod_statement f
  left join snowflake.sessions s on s.source = f.source and s.session_id = f.session_id
  left join snowflake.login_history l on l.source = s.source and l.event_id = s.login_event_id
  where f.is_ddl
  union all
  select
    t.source, t.last_ddl_by, null, t.last_ddl, t.table_catalog, t.table_schema, null,
    t.source || '/' || t.table_catalog || '.' || t.table_schema || '.' || t.table_name || ' changed by ' || coalesce(t.last_ddl_by, 'unknown user'),
    false, null, null, null
  from snowflake.tables t
  cross join params c
  where t.last_ddl >= c.night and t.last_ddl < c.night + 1 and t.table_type is distinct from 'TEMPORARY TABLE'
),
numbered as (
  select
    *, row_number() over (order by item, changed_at, query_type, client, endpoint, ip) as n,
    case when len(ip) = 4 then try_cast(ip[1] as bigint) * 16777216 + try_cast(ip[2] as bigint) * 65536 + try_cast(ip[3] as bigint) * 256 + try_cast(ip[4] as bigint) end as address
  from changes
),
networks as (
  select "user", role, entry, string_split(split_part(entry, '/', 1), '.') as ip, 32 - coalesce(try_cast(nullif(split_part(entry, '/', 2), '') as int), 32) as free
  from (select "user", role, unnest(networks) as entry from register.deployers)
),
ranges as (
  select
    "user", role, entry,
    ((try_cast(ip[1] as bigint) * 16777216 + try_cast(ip[2] as bigint) * 65536 + try_cast(ip[3] as bigint) * 256 + try_cast(ip[4] as bigint)) >> free) << free as low,
    1::bigint << free as size
  from networks
),
runs as (
  select null as tool, started_at as since, completed_at as until
  from records.ci_runs r
  cross join params c
  where r.kind = 'deploy' and list_contains(c.environments, r.environment)
  union all
  select 'dbt', i.invocation_started_at, i.generated_at
  from dbt.invocations i
  cross join params c
  where i.executed and list_contains(c.targets, i.target_name)
),
registered as (
  select
    n.n, n.statement, d.schemas is null or list_contains(d.schemas, n.database_name || '.' || n.schema_name) or list_contains(d.schemas, n.database_name || '.*') as inside,
    starts_with(lower(n.client), lower(d.client))
      and exists (select 1 from ranges r where r."user" = d."user" and r.role = d.role and (r.entry = n.endpoint or (n.address >= r.low and n.address < r.low + r.size)))
      and (
        (d.tool = 'loader' and len(d.schemas) > 0)
        or exists (select 1 from runs u where coalesce(u.tool = d.tool, d.tool <> 'loader') and n.changed_at >= u.since and n.changed_at <= u.until)
      ) as at_work
  from numbered n
  join register.deployers d on d."user" = n.user_name and (d.role = n.role_name or not n.statement)
),
-- of a table only who changed it is known: any registration of theirs may cover it
allowed as (
  select n, min(case when inside and (at_work or not statement) then 0 when inside then 8 else 7 end) as rank from registered group by n
),
emergencies as (
  select distinct n.n
  from numbered n
  cross join params c
  join records.tickets t on t.user_name = n.user_name
  where (t.type = 'break_glass' or (t.type = 'change' and t.emergency)) and t.status in ('approved', 'in_progress', 'resolved', 'closed')
    and t.approver <> t.requester and t.approver <> t.user_name
    and t.approved_at <= n.changed_at + to_minutes(c.emergency_minutes)
    and n.changed_at >= coalesce(t.window_start, t.approved_at) and n.changed_at <= coalesce(t.window_end, t.expires_at, t.closed_at)
),
judged as (
  select
    n.item, n.changed_at, n.query_type,
    case
      when n.changed_at is null then 9
      when e.n is not null then 0
      when n.user_name is null or (n.statement and n.role_name is null) then 9
      when r.n is null and x."user" is not null then 5
      when r.n is null and not n.statement then 4
      when r.n is null then 6
      else r.rank
    end as rank
  from numbered n
  left join allowed r on r.n = n.n
  left join emergencies e on e.n = n.n
  left join (select distinct "user" from register_expired.deployers) x on x."user" = n.user_name
),
worst as (
  select item, max(rank) as rank, count(*) as changes, string_agg(distinct query_type, ', ' order by query_type) as kinds, min(changed_at) as first_time from judged group by item
)
select
  p.item,
  case when w.rank = 0 then 'pass' else 'fail' end as result,
  case w.rank
    when 0 then '' when 4 then 'table-changed-by-other' when 5 then 'registration-expired' when 6 then 'not-a-deployer' when 7 then 'outside-schemas' when 8 then 'deployer-used-by-hand'
    else 'unknown-value'
  end as reason,
  w.changes || ' change' || if(w.changes = 1, '', 's') || coalesce(' (' || w.kinds || ')', ', kind not on record') || ', first ' || coalesce(strftime(w.first_time, '%Y-%m-%d %H:%M'), 'at an unknown time') as observed,
  'a registered deployer at work in its pipeline, or an approved emergency' as expected
from population p
left join worst w on w.item = p.item
