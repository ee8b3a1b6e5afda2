select
  t.source || '/' || p.product || ': ' || t.table_catalog || '.' || t.table_schema || '.' || t.table_name as item, p.kind, t.source, null as bucket, null as prefix,
  p.keep_least, p.keep_most, p.tail, p.tail_days, upper(t.is_transient) as transient, t.retention_time
from fact.retention_promise p
join snowflake.tables t on t.table_catalog = p.database_name and t.table_schema = p.schema_name and t.table_name = p.object_name
where t.deleted is null and (upper(t.table_type) in ('VIEW', 'MATERIALIZED VIEW', 'EXTERNAL TABLE', 'TEMPORARY TABLE')) is not true
union all
select
  coalesce(b.source || '/', '') || p.product || ': s3://' || p.bucket || '/' || p.prefix, p.kind, b.source, p.bucket, p.prefix,
  p.keep_least, p.keep_most, p.tail, p.tail_days, null, null
from fact.retention_promise p
left join aws.s3_buckets b on b.name = p.bucket
where p.kind = 'bucket'
