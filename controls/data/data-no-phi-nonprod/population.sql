with objects as (
  select source, table_catalog as database_name, table_schema as schema_name, table_name as object_name from snowflake.tables where deleted is null
  union
  select source, database_name, schema_name, object_name from fact.phi_columns
),
clones as (
  select distinct
    q.source, q.query_id, q.user_name, q.database_name,
    regexp_extract(
      q.query_text, '(?i)^\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:[A-Z]+\s+)*?(DATABASE|SCHEMA|TABLE)\s+(?:IF\s+NOT\s+EXISTS\s+)?((?:"[^"]*"|[^\s"])+)\s+CLONE\s+((?:"[^"]*"|[^\s";(])+)',
      ['kind', 'target', 'origin']
    ) as said
  from snowflake.query_history q
  where coalesce(regexp_matches(q.query_text, '(?is)^\s*CREATE\s.*\sCLONE\s'), true)
    and coalesce(lower(q.execution_status) not in ('fail', 'incident'), true)
)
select
  o.source || '/' || concat_ws('.', o.database_name, o.schema_name, o.object_name) as item,
  o.source, o.database_name, o.schema_name, o.object_name, coalesce(own.env, whole.env) as env, false as cloned, null as user_name, null as said
from objects o
cross join params c
left join register.zones own on own.database = o.database_name and own.schema = o.schema_name
left join register.zones whole on whole.database = o.database_name and whole.schema = '*'
where coalesce(own.env, whole.env) is distinct from 'prod' and not coalesce(list_contains(c.platform_databases, o.database_name), false)
union all
select source || '/clone ' || query_id, source, database_name, null, null, null, true, user_name, said from clones
