select 'product ' || product || ': ' || database_name || '.' || schema_name || '.' || object_name as item, kind, null as source,
  database_name, schema_name, object_name, null as bucket, null as prefix, keep_most, null::timestamp as due_at, null::timestamp as closed_at, null as status
from fact.retention_promise
where kind = 'table' and promise is not null
union all
select 'product ' || product || ': s3://' || bucket || '/' || prefix, kind, null, null, null, null, bucket, prefix, keep_most, null, null, null
from fact.retention_promise
where kind = 'bucket'
union all
select source || '/' || system || ' ' || id, 'request', source, null, null, null, null, null, null, due_at, closed_at, status
from records.tickets
where type = 'deletion_request'
