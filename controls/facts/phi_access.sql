-- ACCESS_HISTORY lies on the night a statement started, QUERY_HISTORY on the night it ended. Each access is judged once: when its
-- statement ended, or a night later if no statement was found. Not in the source: failed statements, re-reads of results, short
-- hybrid-table statements, intermediate views, what consumers of shares read.
with statements as (
  select distinct source, query_id, night, role_name, agent_type, secondary_role_stats as secondary
  from snowflake.query_history
),
accesses as (
  select
    concat_ws('/', a.source, a.query_id, a.user_name) as n,
    a.source, a.query_id, a.query_start_time, a.user_name, a.direct_objects_accessed as direct, a.base_objects_accessed as base,
    q.role_name, q.agent_type, q.secondary,
    -- a number cut to -1 or a name cut to TRUNCATED says that the row was too large to keep whole
    case
      when a.base_objects_accessed is null then 'unknown'
      when len(list_filter(a.base_objects_accessed, lambda o: o.object_id = '-1' or o.object_name = 'TRUNCATED'
        or list_contains(list_transform(o.columns, lambda c: c.column_id), '-1') or list_contains(list_transform(o.columns, lambda c: c.column_name), 'TRUNCATED'))) > 0 then 'truncated'
      else 'read'
    end as state
  from snowflake.access_history a
  cross join settings s
  left join statements q on q.source = a.source and q.query_id = a.query_id
  where coalesce(q.night, a.night + 1) = s.night
),
phi as (
  select
    source, database_name, schema_name, object_name, column_name,
    table_id::varchar as object_id, column_id::varchar as column_id,
    database_name || '.' || schema_name || '.' || object_name as path,
    concat_ws('.',
      case when regexp_matches(database_name, '^[A-Z_][A-Z0-9_$]*$') then database_name else '"' || replace(database_name, '"', '""') || '"' end,
      case when regexp_matches(schema_name, '^[A-Z_][A-Z0-9_$]*$') then schema_name else '"' || replace(schema_name, '"', '""') || '"' end,
      case when regexp_matches(object_name, '^[A-Z_][A-Z0-9_$]*$') then object_name else '"' || replace(object_name, '"', '""') || '"' end
    ) as quoted
  from fact.phi_columns
  where state = 'declared'
),
phi_objects as (
  select source, object_id as mark, path from phi
  union
  select source, path, path from phi
  union
  select source, quoted, path from phi
),
-- an object without known columns is PHI whatever column was read
phi_marks as (
  select source, path, column_id as mark from phi
  union
  select source, path, column_name from phi
  union
  select source, path, '*' from phi where column_name is null
),
lists as (
  select n, source, false as direct, unnest(base) as o from accesses where state = 'read'
  union all
  select n, source, true, unnest(direct) from accesses where state = 'read'
),
marked as (
  select n, source, direct, o.columns as columns, unnest([o.object_id, o.object_name]) as mark from lists
),
named as (
  select k.n, k.source, k.direct, p.path, k.columns
  from marked k
  join phi_objects p on p.source = k.source and p.mark = k.mark
),
touched as (
  select
    n, source, direct, path,
    unnest(case when columns is null then ['?'] else list_transform(columns, lambda c: c.column_id) || list_transform(columns, lambda c: c.column_name) || ['*'] end) as mark
  from named
),
hits as (
  select distinct t.n, t.direct, t.path
  from touched t
  join phi_marks m on m.source = t.source and m.path = t.path and (m.mark = t.mark or t.mark = '?')
),
-- a view counts by itself only where nothing below it is known to hold PHI
with_base as (
  select distinct n from hits where not direct
),
reads as (
  select distinct h.n, h.path
  from hits h
  left join with_base b on b.n = h.n
  where not h.direct or b.n is null
),
mentioned as (
  select distinct n, path from named where direct
)
select
  a.source, a.query_id, a.query_start_time, a.user_name, a.role_name, a.agent_type, a.secondary, a.state,
  r.path as object,
  m.path is not null as named_directly,
  -- what the statement named and nothing was read from: the views in between
  list_transform(
    list_filter(a.direct, lambda o: not coalesce(list_contains(list_transform(a.base, lambda b: b.object_name), o.object_name), false)),
    lambda o: coalesce(o.object_name, '?')
  ) as through
from reads r
join accesses a on a.n = r.n
left join mentioned m on m.n = r.n and m.path = r.path
union all
select source, query_id, query_start_time, user_name, role_name, agent_type, secondary, state, null, false, null
from accesses
where state <> 'read'
