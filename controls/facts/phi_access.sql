-- ACCESS_HISTORY lies on the night a statement started, QUERY_HISTORY on the night it ended. Each access is judged once: when its
-- statement ended, or a night later if no statement was found. Not in the source: failed statements, re-reads of results, short
-- hybrid-table statements, intermediate views, what consumers of shares read.
with statements as (
  select
    q.source, q.query_id, max(q.night) as night, min(q.role_name) as role_name, min(q.agent_type) as agent_type,
    min(q.secondary_role_stats) as secondary
  from snowflake.query_history q
  group by all
),
accesses as (
  select
    a.source, a.night, a.query_id, a.query_start_time, a.user_name, a.direct_objects_accessed as direct, a.base_objects_accessed as base,
    q.query_id is not null as statement_found, q.role_name, q.agent_type, q.secondary
  from snowflake.access_history a
  cross join settings s
  left join statements q on q.source = a.source and q.query_id = a.query_id
  where coalesce(q.night, a.night + 1) = s.night
),
-- a number cut to -1 or a name cut to TRUNCATED says that the row was too large to keep whole
judged as (
  select
    *,
    case
      when base is null then 'unknown'
      when len(list_filter(base, lambda o: o.object_id = '-1' or o.object_name = 'TRUNCATED' or len(list_filter(coalesce(o.columns, []), lambda c: c.column_id = '-1' or c.column_name = 'TRUNCATED')) > 0)) > 0 then 'truncated'
      else 'read'
    end as state
  from accesses
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
  select source, object_id as mark, path from phi where object_id is not null
  union
  select source, path, path from phi
  union
  select source, quoted, path from phi
),
-- an object without known columns is PHI whatever column was read
phi_marks as (
  select source, path, column_id as mark from phi where column_id is not null
  union
  select source, path, column_name from phi where column_name is not null
  union
  select source, path, '*' from phi where column_name is null
),
lists as (
  select source, query_id, user_name, false as direct, unnest(base) as o from judged where state = 'read'
  union all
  select source, query_id, user_name, true, unnest(direct) from judged where state = 'read'
),
named as (
  select l.source, l.query_id, l.user_name, l.direct, p.path, l.o.columns as columns
  from lists l
  join phi_objects p on p.source = l.source and p.mark = l.o.object_id
  union
  select l.source, l.query_id, l.user_name, l.direct, p.path, l.o.columns
  from lists l
  join phi_objects p on p.source = l.source and p.mark = l.o.object_name
),
touched as (
  select distinct source, query_id, user_name, direct, path, unnest(case when columns is null then ['?'] else list_transform(columns, lambda c: coalesce(c.column_id, '')) || list_transform(columns, lambda c: coalesce(c.column_name, '')) || ['*'] end) as mark
  from named
),
hits as (
  select distinct t.source, t.query_id, t.user_name, t.direct, t.path
  from touched t
  join phi_marks m on m.source = t.source and m.path = t.path and (m.mark = t.mark or t.mark = '?')
),
-- a view counts by itself only where nothing below it is known to hold PHI
reads as (
  select distinct h.source, h.query_id, h.user_name, h.path
  from hits h
  where not h.direct or not exists (
    select 1 from hits b where b.source = h.source and b.query_id = h.query_id and b.user_name is not distinct from h.user_name and not b.direct
  )
),
mentioned as (
  select distinct source, query_id, user_name, path from named where direct
)
select
  j.source, j.query_id, j.query_start_time, j.user_name, j.role_name, j.agent_type, j.secondary, j.statement_found, j.state,
  r.path as object,
  m.path is not null as named_directly,
  -- what the statement named and nothing was read from: the views in between
  case when r.path is not null then list_transform(
    list_filter(j.direct, lambda o: not coalesce(list_contains(list_transform(j.base, lambda b: b.object_name), o.object_name), false)),
    lambda o: coalesce(o.object_name, '?')
  ) end as through
from judged j
left join reads r on r.source = j.source and r.query_id = j.query_id and r.user_name is not distinct from j.user_name and j.state = 'read'
left join mentioned m on m.source = r.source and m.query_id = r.query_id and m.user_name is not distinct from r.user_name and m.path = r.path
where j.state <> 'read' or r.path is not null
