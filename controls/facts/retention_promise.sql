with said as (
  select distinct product, database_name, schema_name, object_name, interface, retention_policy, lineage
  from contracts.products
  where column_name is null
),
files as (
  select distinct product, retention_policy, unnest(json_extract_string(lineage, '$.sources[*]')) as place from said
),
promised as (
  select
    product, 'table' as kind, database_name, schema_name, object_name, null as bucket, null as prefix,
    coalesce(json_extract_string(retention_policy, '$."' || lower(schema_name) || '"'), json_extract_string(retention_policy, '$."' || schema_name || '"')) as promise,
    json_extract_string(retention_policy, '$.tail') as tail
  from said
  where interface is distinct from 'share'
  union all
  select
    f.product, 'bucket', null, null, null, regexp_extract(f.place, '^s3://([^/]+)', 1), regexp_extract(f.place, '^s3://[^/]+/([^*]*)', 1),
    list_filter(list_transform(['bronze', 'raw', 'landing'], lambda t: json_extract_string(f.retention_policy, '$."' || t || '"')), lambda p: p is not null)[1],
    json_extract_string(f.retention_policy, '$.tail')
  from files f
  where starts_with(f.place, 's3://')
),
read as (
  select
    *,
    regexp_extract(lower(trim(promise)), '^(\d+)\s*(d|day|days|w|week|weeks|m|mo|month|months|y|yr|year|years)$', ['n', 'unit']) as kept,
    regexp_extract(lower(trim(tail)), '^(\d+)\s*(d|day|days|w|week|weeks)$', ['n', 'unit']) as tailed
  from promised
)
select
  product, kind, database_name, schema_name, object_name, bucket, prefix, promise, tail,
  try_cast(kept.n as bigint) * case kept.unit[1] when 'd' then 1 when 'w' then 7 when 'm' then 28 when 'y' then 365 end as keep_least,
  try_cast(kept.n as bigint) * case kept.unit[1] when 'd' then 1 when 'w' then 7 when 'm' then 31 when 'y' then 366 end as keep_most,
  try_cast(tailed.n as bigint) * case tailed.unit[1] when 'd' then 1 when 'w' then 7 end as tail_days
from read
