with written as (
  select a.source, a.query_id, a.objects_modified is null as untold, unnest(coalesce(a.objects_modified, [null])) as o
  from snowflake.access_history a
),
columns_written as (
  select
    source, query_id, untold, o.object_name as target, o.object_id as target_id,
    o.object_id = '-1' or o.object_name = 'TRUNCATED' as cut, unnest(case when len(o.columns) > 0 then o.columns else [null] end) as c
  from written
),
columns_cut as (
  select
    source, query_id, untold, target, target_id, c,
    cut or c.column_id = '-1' or c.column_name = 'TRUNCATED'
      or len(list_filter(c.base_sources, lambda b: b.object_id = '-1' or b.object_name = 'TRUNCATED' or b.column_name = 'TRUNCATED')) > 0 as cut
  from columns_written
),
sources_read as (
  select source, target, target_id, c.column_name, unnest(c.base_sources) as b from columns_cut
),
phi as (
  select source, column_name, unnest([table_id::varchar, database_name || '.' || schema_name || '.' || object_name]) as mark
  from fact.phi_columns
  where state = 'declared'
),
-- an object without known columns is PHI whatever column was read
from_phi as (
  select distinct s.source, s.target, s.target_id, s.column_name, false as record, false as untold, null as query_id
  from (select source, target, target_id, column_name, b.column_name as origin, unnest([b.object_id, b.object_name]) as mark from sources_read) s
  join phi p on p.source = s.source and p.mark = s.mark and coalesce(p.column_name = s.origin, true)
  union all
  select distinct source, null, null, null, true, untold, query_id from columns_cut where untold or cut
),
known as (
  select source, table_id::varchar as table_id, table_catalog, table_schema, table_name, table_catalog || '.' || table_schema || '.' || table_name as path, deleted
  from snowflake.tables
),
-- a table that was dropped, and no other of its name lives: nothing is left to protect
live as (
  select
    f.*, k.table_id, k.table_catalog, k.table_schema, k.table_name, k.path,
    not exists (select 1 from known d where d.source = f.source and d.table_id = f.target_id) as there
  from from_phi f
  left join known k on k.source = f.source and k.deleted is null and (k.table_id = f.target_id or k.path = f.target)
)
-- number and name may lead to two tables: each is an item
select
  source || '/' || case
    when record then 'record ' || coalesce(query_id, '?')
    else coalesce(target, '?') || '.' || coalesce(column_name, '?') || case when table_id is not null and path is distinct from target then ' now ' || coalesce(path, table_id) else '' end
  end as item,
  source, table_catalog, table_schema, table_name, column_name, table_id is not null as seen, record, bool_or(untold) as untold
from live
where there or table_id is not null
group by all
