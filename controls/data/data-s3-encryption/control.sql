-- A key is named by id, ARN, alias or alias ARN; `unset` with aws:kms is AWS's own alias.
with keys as (
  select source, account, region, lower(arn) as arn, manager, state, unnest([lower(arn), lower(key_id)] || list_transform(coalesce(aliases, []), lambda a: lower(a))) as name
  from aws.kms_keys
),
denials as (
  select
    source, bucket,
    regexp_extract(
      regexp_replace(condition, '"null":\{"s3:x-amz-server-side-encryption":(\["false"\]|"false"|false)\},|,"null":\{"s3:x-amz-server-side-encryption":(\["false"\]|"false"|false)\}', ''),
      '^\{"(?:string|arn)not(?:equals|like)(?:ifexists)?":\{"s3:x-amz-server-side-encryption-aws-kms-key-id":\[?"([^"*?]+)"\]?\}\}$', 1
    ) as arn
  from fact.bucket_statements
  where effect = 'deny' and everybody and covers_objects and list_has_any(actions, ['s3:putobject', 's3:put*', 's3:*', '*'])
),
looked_at as (
  select
    p.*, b.sse_algorithm, b.kms_key_id, k.arn is not null as key_found, k.manager, k.state, c.deny_other_keys,
    exists (select 1 from denials d where d.source = p.source and d.bucket = p.bucket and d.arn = k.arn) as denied
  from population p
  cross join params c
  left join aws.s3_buckets b on b.source = p.source and b.name = p.bucket
  left join keys k
    on k.source = b.source and k.account = b.account and k.region = b.region
    and k.name = regexp_replace(lower(b.kms_key_id), '^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d+:alias/', 'alias/')
),
judged as (
  select
    *,
    case
      when only_access_logs and sse_algorithm = 'AES256' then ''
      when not expired and sse_algorithm in ('aws:kms', 'aws:kms:dsse') and manager = 'CUSTOMER' and state = 'Enabled' and (denied or not deny_other_keys) then ''
      when not found then 'bucket-not-found'
      when expired then 'registration-expired'
      when sse_algorithm not in ('aws:kms', 'aws:kms:dsse') then 'no-kms'
      when sse_algorithm is null or kms_key_id is null then 'unknown-value'
      when manager = 'AWS' or kms_key_id in ('unset', 'alias/aws/s3') then 'aws-managed-key'
      when not key_found then 'key-not-found'
      when state <> 'Enabled' then 'key-not-enabled'
      when manager is null or state is null then 'unknown-value'
      else 'other-key-allowed'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when not found then 'not among the buckets of our accounts'
    else concat_ws('; ',
      case when only_access_logs then 'holds access logs alone' when expired then 'the registration of what it holds has run out' end,
      case sse_algorithm when 'unset' then 'no default encryption' else coalesce('encrypted with ' || sse_algorithm, 'encryption not known') end || case when sse_algorithm in ('aws:kms', 'aws:kms:dsse') then coalesce(', key ' || case when kms_key_id = 'unset' then 'not named (AWS''s own)' else kms_key_id end, ', key not known') else '' end,
      case
        when sse_algorithm not in ('aws:kms', 'aws:kms:dsse') or kms_key_id is null or kms_key_id = 'unset' then null
        when not key_found then case when kms_key_id = 'alias/aws/s3' then 'a key of AWS' else 'the key is not among those of its account and region' end
        else case manager when 'CUSTOMER' then 'a customer''s key' when 'AWS' then 'a key of AWS' else coalesce('manager ' || manager, 'manager not known') end
          || case when state = 'Enabled' then ', enabled' else coalesce(', not enabled: ' || state, ', state not known') end
      end,
      case when deny_other_keys and key_found then case when denied then 'other keys denied' else 'other keys not denied' end end
    )
  end as observed,
  'aws:kms with an enabled customer key' || case when deny_other_keys then ', other keys denied' else '' end as expected
from judged
