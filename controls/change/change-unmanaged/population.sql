with live as (
  select source, 'table' as kind, table_catalog as database, table_schema as schema, table_name as name from snowflake.tables where deleted is null and table_type is distinct from 'TEMPORARY TABLE'
  union
  select source, 'procedure', procedure_catalog, procedure_schema, procedure_name from snowflake.procedures where deleted is null
  union
  select source, 'function', function_catalog, function_schema, function_name from snowflake.functions where deleted is null
  union
  select source, 'task', database_name, schema_name, name from snowflake.tasks
),
zoned as (
  select
    l.*, l.database || '.' || l.schema || '.' || coalesce(l.name, 'unnamed') as path
  from live l
  left join register.zones o on o.database = l.database and o.schema = l.schema
  left join register.zones a on a.database = l.database and a.schema = '*'
  where coalesce(o.env, a.env) = 'prod' and coalesce(o.zone, a.zone) <> 'sandbox'
),
declared as (
  select distinct n.source, n.unique_id, n.database || '.' || n.schema || '.' || coalesce(n.alias, n.name) as path
  from dbt.nodes n
  left join register.zones o on upper(o.database) = upper(n.database) and upper(o.schema) = upper(n.schema)
  left join register.zones a on upper(a.database) = upper(n.database) and a.schema = '*'
  where n.enabled and n.resource_type in ('model', 'snapshot', 'seed') and n.materialized is distinct from 'ephemeral'
    and coalesce(o.env, a.env) = 'prod' and coalesce(o.zone, a.zone) <> 'sandbox'
)
select z.source || '/' || z.kind || ' ' || z.path as item, z.source, z.kind, z.path, z.name is null as unnamed
from zoned z
cross join params c
where len(list_filter(c.ignore, lambda p: regexp_matches(lower(z.name), p))) = 0
union all
select distinct r.source || '/role ' || r.name, r.source, 'role', r.name, false
from snowflake.roles r
cross join params c
where r.deleted_on is null and coalesce(r.role_type, 'ROLE') = 'ROLE' and not list_contains(c.system_roles, r.name)
union all
select distinct source || '/warehouse ' || name, source, 'warehouse', name, false from snowflake.warehouses
union all
select source || '/' || unique_id, source, 'node', path, false from declared
union all
select source || '/' || document, source, 'document', document, false
from (select source, document from terraform.state union select source, document from terraform.plan)
