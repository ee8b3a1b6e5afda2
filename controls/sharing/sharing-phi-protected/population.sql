with live as (
  select source, name, secure_objects_only as secure_only from snowflake.shares where deleted_on is null
),
-- a grant on a database or schema opens the way to it and gives no data
given as (
  select distinct
    g.source, g.share_name as share, upper(g.granted_on) as granted_on, g.object_database, g.object_schema, g.object_name
  from snowflake.grants_to_shares g
  join live l on l.source = g.source and l.name = g.share_name
  where g.deleted_on is null
    and (upper(g.granted_on) in ('DATABASE', 'SCHEMA')) is not true
)
select
  source || '/share ' || name as item, 'share' as kind, source, name as share, null as granted_on,
  null as object_database, null as object_schema, null as object_name, null as column_name, null as state, secure_only
from live
union all
select
  source || '/share ' || share || ': ' || coalesce(granted_on, 'object') || ' ' || concat_ws('.', object_database, object_schema, object_name), 'object', source, share, granted_on,
  object_database, object_schema, object_name, null, null, null
from given
union all
select distinct
  g.source || '/share ' || g.share || ': ' || concat_ws('.', g.object_database, g.object_schema, g.object_name, coalesce(p.column_name, '*')), 'column', g.source, g.share, null,
  g.object_database, g.object_schema, g.object_name, p.column_name, p.state, null::boolean
from given g
join fact.phi_columns p
  on p.source = g.source and p.database_name = g.object_database and p.schema_name = g.object_schema and p.object_name = g.object_name
