with shared as (
  select distinct product from contracts.products where interface = 'share'
),
asked as (
  select c.database_name, c.schema_name, c.object_name, c.row_access_policy as named, c.row_access_policy is not null as required
  from contracts.products c
  left join shared s on s.product = c.product
  where c.interface is distinct from 'share'
    and (c.row_access_policy is not null or (s.product is not null and coalesce(upper(c.classification) like 'PHI%', true)))
  union all
  select upper(database), upper(schema), upper(coalesce(alias, name)), null, true
  from dbt.nodes
  where enabled is distinct from false
    and ((meta -> '$.policy_required')::varchar ilike '%row_access%' or array_to_string(json_extract(columns, '$.*.meta.policy_required'), ' ') ilike '%row_access%')
),
live as (
  select source, table_catalog, table_schema, table_name, table_type from snowflake.tables where deleted is null
),
-- what nobody showed belongs to the account that has the database, else to the first one
homes as (
  select upper(table_catalog) as database_name, min(source) as source from live group by all
)
select
  coalesce(l.source, h.source, f.source) || '/' || concat_ws('.', coalesce(l.table_catalog, a.database_name), coalesce(l.table_schema, a.schema_name), coalesce(l.table_name, a.object_name)) as item,
  l.source, l.table_catalog as database_name, l.table_schema as schema_name, l.table_name as object_name, min(l.table_type) as table_type, l.source is not null as seen,
  -- contracts that name several are not met by one of them
  string_agg(distinct upper(a.named), ', ' order by upper(a.named)) as named, bool_or(a.required) as required
from asked a
cross join (select min(source) as source from live) f
left join live l on upper(l.table_catalog) = upper(a.database_name) and upper(l.table_schema) = upper(a.schema_name) and upper(l.table_name) = upper(a.object_name)
left join homes h on h.database_name = upper(a.database_name)
group by all
