with wanted as (
  select
    t.source, t.table_catalog || '.' || t.table_schema || '.' || t.table_name as name, upper(t.is_transient) as transient, t.retention_time, d.rebuildable,
    bool_or(d.database is not null or coalesce(list_contains(s.critical_words, lower(c.criticality)), true)) as critical
  from snowflake.tables t
  cross join params s
  left join register.critical_databases d on d.database = t.table_catalog
  left join contracts.products c on c.database_name = t.table_catalog and c.schema_name = t.table_schema and c.object_name = t.table_name
  where t.deleted is null
    and (upper(t.table_type) in ('VIEW', 'MATERIALIZED VIEW', 'TEMPORARY TABLE', 'EXTERNAL TABLE')) is not true
    and (d.database is not null or c.object_name is not null)
  group by all
)
select source || '/' || name as item, source, transient, retention_time, critical, rebuildable, false as account from wanted
union all
select distinct source || '/account', source, null, null::bigint, true, null::boolean, true from wanted
