select distinct
  t.source || '/' || concat_ws('.', t.table_catalog, t.table_schema, t.table_name) as item,
  t.source, t.table_id, t.table_catalog, t.table_schema, t.table_name
from snowflake.tables t
cross join params c
where t.deleted is null and not coalesce(list_contains(c.platform_databases, t.table_catalog), false) and t.table_schema is distinct from 'INFORMATION_SCHEMA'
