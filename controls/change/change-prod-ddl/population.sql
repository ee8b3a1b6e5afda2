select distinct source || '/' || coalesce(user_name, 'unknown user') || ' as ' || coalesce(role_name, 'unknown role') || ' in ' || coalesce(database_name, 'unknown database') as item
from fact.prod_statement
where is_ddl and not platform
union
select t.source || '/' || t.table_catalog || '.' || t.table_schema || '.' || t.table_name || ' changed by ' || coalesce(t.last_ddl_by, 'unknown user')
from snowflake.tables t
cross join params c
cross join settings s
left join register.zones o on o.database = t.table_catalog and o.schema = t.table_schema
left join register.zones a on a.database = t.table_catalog and a.schema = '*'
where t.last_ddl >= c.night and t.last_ddl < c.night + 1 and coalesce(o.env, a.env, 'prod') = 'prod' and coalesce(o.zone, a.zone, '') <> 'sandbox'
  and t.table_type is distinct from 'TEMPORARY TABLE' and not coalesce(list_contains(s.platform_users, t.last_ddl_by), false)
