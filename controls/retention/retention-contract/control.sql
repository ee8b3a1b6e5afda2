with rules as (
  select b.source, b.name as bucket, unnest(json_extract(b.lifecycle_rules, '$[*]')) as rule from aws.s3_buckets b
),
-- a rule with a tag or a size in its filter does not cover every file
plain as (
  select source, bucket,
    coalesce(json_extract_string(rule, '$.Filter.Prefix'), json_extract_string(rule, '$.Prefix'), '') as prefix,
    try_cast(json_extract_string(rule, '$.Expiration.Days') as bigint) as days,
    try_cast(json_extract_string(rule, '$.NoncurrentVersionExpiration.NoncurrentDays') as bigint) as version_days
  from rules
  where json_extract_string(rule, '$.Status') = 'Enabled'
    and json_extract_string(rule, '$.Filter.Tag') is null and json_extract_string(rule, '$.Filter.And') is null
    and json_extract_string(rule, '$.Filter.ObjectSizeGreaterThan') is null and json_extract_string(rule, '$.Filter.ObjectSizeLessThan') is null
),
covered as (
  select p.item, min(r.days) as days, min(r.version_days) as version_days
  from population p
  join plain r on r.source = p.source and r.bucket = p.bucket and starts_with(p.prefix, r.prefix)
  group by all
),
looked_at as (
  select
    p.item, p.kind, p.source, p.keep_least, p.keep_most + c.expiry_grace_days as latest, p.tail is null or p.tail_days is not null as tail_known, b.lifecycle_rules is not null as shown, b.versioning_status,
    v.days, v.version_days, coalesce(p.tail_days, c.tail_days) as allowed,
    p.retention_time + case p.transient when 'YES' then 0 when 'NO' then c.failsafe_days end as tail
  from population p
  cross join params c
  left join aws.s3_buckets b on b.source = p.source and b.name = p.bucket
  left join covered v on v.item = p.item
),
judged as (
  select
    *,
    case
      when keep_least is not null and tail_known and tail <= allowed then ''
      when tail_known and days between keep_least and latest and (versioning_status = 'unset' or version_days <= allowed) then ''
      when keep_least is null then 'no-promise'
      when tail > allowed then 'tail-long'
      when source is null then 'bucket-not-seen'
      when not shown then 'unknown-value'
      when days is null then 'no-expiry'
      when days > latest then 'expiry-late'
      when days < keep_least then 'expiry-early'
      when versioning_status <> 'unset' then 'versions-kept'
      else 'unknown-value'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case kind
    when 'table' then 'recoverable for ' || coalesce(tail || ' day' || if(tail = 1, '', 's'), 'an unknown time')
    else coalesce('files expire after ' || days || ' day' || if(days = 1, '', 's'), 'files never expire') || case when versioning_status = 'unset' then '' else coalesce(', older versions after ' || version_days || ' day' || if(version_days = 1, '', 's'), ', older versions never') end
  end as observed,
  case kind when 'table' then 'a stated retention, recoverable for at most ' || allowed || ' day' || if(allowed = 1, '', 's') else 'files expire after ' || coalesce(keep_least || ' to ' || latest || ' day' || if(latest = 1, '', 's'), 'a stated time') || ', older versions within ' || allowed || ' day' || if(allowed = 1, '', 's') end as expected
from judged
