with written as (
  select a.source, a.query_id, a.user_name, a.objects_modified is null as untold, unnest(coalesce(a.objects_modified, [null])) as o
  from snowflake.access_history a
),
columns_written as (
  select
    source, query_id, user_name, untold, o.object_name as target, o.object_id as target_id,
    coalesce(o.object_id = '-1' or o.object_name = 'TRUNCATED', false) as cut, unnest(case when len(o.columns) > 0 then o.columns else [null] end) as c
  from written
),
sources_read as (
  select
    source, query_id, user_name, untold, target, target_id, c.column_name,
    cut or coalesce(c.column_id = '-1' or c.column_name = 'TRUNCATED', false)
      or len(list_filter(c.base_sources, lambda b: b.object_id = '-1' or b.object_name = 'TRUNCATED' or b.column_name = 'TRUNCATED')) > 0 as cut,
    unnest(case when len(c.base_sources) > 0 then c.base_sources else [null] end) as b
  from columns_written
),
from_phi as (
  select distinct s.source, s.target, s.target_id, s.column_name, p.object_name is not null as phi, s.untold, s.cut, case when s.untold or s.cut then s.query_id end as query_id
  from sources_read s
  left join fact.phi_columns p
    on p.source = s.source and p.state = 'declared'
    and (p.table_id::varchar = s.b.object_id or p.database_name || '.' || p.schema_name || '.' || p.object_name = s.b.object_name)
    and (p.column_name = s.b.column_name or p.column_name is null)
  where s.untold or s.cut or p.object_name is not null
),
known as (
  select source, table_id::varchar as table_id, table_catalog, table_schema, table_name, table_catalog || '.' || table_schema || '.' || table_name as path, deleted
  from snowflake.tables
),
-- a table that was dropped, and no other of its name lives: nothing is left to protect
live as (
  select
    f.*, k.table_id, k.table_catalog, k.table_schema, k.table_name,
    not exists (select 1 from known d where d.source = f.source and d.table_id = f.target_id and d.deleted is not null) as there
  from from_phi f
  left join known k on k.source = f.source and k.deleted is null and (k.table_id = f.target_id or k.path = f.target)
)
select
  source || '/' || case when untold or cut then 'record ' || coalesce(query_id, '?') else coalesce(target, '?') || '.' || coalesce(column_name, '?') end as item,
  source, min(table_catalog) as table_catalog, min(table_schema) as table_schema, min(table_name) as table_name, min(column_name) as column_name,
  bool_or(table_id is not null) as seen, bool_or(cut) as cut, bool_or(untold) as untold
from live
where untold or cut or there or table_id is not null
group by 1, 2
