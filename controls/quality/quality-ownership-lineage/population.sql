select distinct
  t.source || '/' || t.table_catalog || '.' || t.table_schema || '.' || coalesce(t.table_name, 'unnamed') as item, t.source,
  upper(t.table_catalog) as database, upper(t.table_schema) as schema, upper(t.table_name) as object
from snowflake.tables t
cross join params c
left join register.zones o on o.database = t.table_catalog and o.schema = t.table_schema
left join register.zones a on a.database = t.table_catalog and a.schema = '*'
where t.deleted is null and t.table_type is distinct from 'TEMPORARY TABLE'
  and coalesce(o.env, a.env) = 'prod' and list_contains(c.zones, coalesce(o.zone, a.zone))
