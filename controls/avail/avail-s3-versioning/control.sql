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
    p.item, p.found, p.expired, e.readable, b.versioning_status, b.mfa_delete, c.min_noncurrent_days, list_min(e.days) as days,
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
    else concat_ws('; ',
      case when expired then 'the registration of what it holds has run out' end,
      case versioning_status when 'Enabled' then 'versioning enabled' when 'Suspended' then 'versioning suspended' when 'unset' then 'versioning never switched on' else coalesce('versioning ' || lower(versioning_status), 'versioning not known') end,
      case
        when readable is not true then 'lifecycle not known'
        when days is null then 'older versions kept'
        when days = -1 then 'older versions removed after an unknown time'
        else 'older versions removed after ' || days || ' day' || if(days = 1, '', 's') || if(days < min_noncurrent_days, ', too soon', '')
      end,
      case mfa_delete when 'Enabled' then 'MFA delete on' when 'unset' then 'MFA delete not set' when 'Disabled' then 'MFA delete off' else coalesce('MFA delete ' || lower(mfa_delete), 'MFA delete not known') end
    )
  end as observed,
  'versioning enabled, older versions kept ' || min_noncurrent_days || ' day' || if(min_noncurrent_days = 1, '', 's') as expected
from judged
