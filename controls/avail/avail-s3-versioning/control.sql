-- A rule that is not plainly switched off counts. An expiry without a number of days cannot be judged.
with rules as (
  select source, name, json_extract(lifecycle_rules, '$[*]') as rules, json_type(lifecycle_rules) = 'ARRAY' as readable from aws.s3_buckets
),
expiries as (
  select
    source, name as bucket, readable,
    list_transform(
      list_filter(rules, lambda r: coalesce(r ->> '$.Status', 'Enabled') <> 'Disabled' and (r ->> '$.NoncurrentVersionExpiration') is not null),
      lambda r: coalesce(try_cast(r ->> '$.NoncurrentVersionExpiration.NoncurrentDays' as bigint), -1)
    ) as days
  from rules
),
judged as (
  select
    p.item, p.found, b.versioning_status, b.mfa_delete, c.min_noncurrent_days, list_min(e.days) as days,
    case
      when not p.expired and b.versioning_status = 'Enabled' and e.readable and coalesce(list_min(e.days) >= c.min_noncurrent_days, true) then ''
      when not p.found then 'bucket-not-found'
      when p.expired then 'registration-expired'
      when b.versioning_status <> 'Enabled' then 'not-versioned'
      when b.versioning_status is null or list_min(e.days) is null or list_min(e.days) = -1 then 'unknown-value'
      else 'removed-too-soon'
    end as reason
  from population p
  cross join params c
  left join aws.s3_buckets b on b.source = p.source and b.name = p.bucket
  left join expiries e on e.source = p.source and e.bucket = p.bucket
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when not found then 'not among the buckets of our accounts'
    else 'versioning ' || coalesce(versioning_status, 'unknown') || ', MFA delete ' || coalesce(mfa_delete, 'unknown') || case when days >= 0 then ', older versions removed after ' || days || ' day' || if(days = 1, '', 's') else '' end
  end as observed,
  'versioning Enabled, older versions kept ' || min_noncurrent_days || ' day' || if(min_noncurrent_days = 1, '', 's') as expected
from judged
