-- A bucket or trail names its key by id, ARN, alias or alias ARN. A key whose manager is not known may be ours.
with named as (
  select b.source, b.account, b.region, regexp_replace(lower(b.kms_key_id), '^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d+:alias/', 'alias/') as name
  from fact.scoped_buckets s
  join aws.s3_buckets b on b.source = s.source and b.name = s.bucket
  union
  select source, null, null, lower(kms_key_id) from aws.trails
)
select distinct
  k.source || '/' || coalesce(k.arn, '?') as item, k.source, k.arn, k.account, k.state, k.spec, k.origin, k.rotation_enabled, k.rotation_period_days, k.deletion_date,
  k.policy::varchar as policy
from aws.kms_keys k
join named n
  on n.source = k.source
  and (n.name = lower(k.arn) or (n.account = k.account and n.region = k.region and (n.name = lower(k.key_id) or list_contains(list_transform(k.aliases, lambda a: lower(a)), n.name))))
where k.manager is distinct from 'AWS'
