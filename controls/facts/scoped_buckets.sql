-- Bucket names are unique in the world, so places and buckets join by name alone. A registration that has run out keeps a bucket in scope
-- as long as it exists or is used.
with places as (
  select url, holds, agreement is not null as partner, true as in_force from register.locations
  union all
  select url, holds, false, false from register_expired.locations
),
used as (
  select stage_url as url from snowflake.stages where deleted is null
  union
  select trim(unnest(string_split(property_value, ','))) from snowflake.integrations_desc where upper(property) = 'STORAGE_ALLOWED_LOCATIONS'
),
named as (
  select url, holds, partner, in_force from places where holds <> 'other'
  union all
  select u.url, null, false, null
  from used u
  where not exists (select 1 from places p where p.holds = 'other' and p.in_force and (u.url = p.url or starts_with(u.url, rtrim(p.url, '/') || '/')))
  union all
  select 's3://' || bucket, 'audit-logs', false, null from aws.trails
),
buckets as (
  select
    regexp_extract(url, '^s3(?:gov|china)?://([^/*]+)', 1, 'i') as bucket,
    coalesce(bool_or(holds = 'phi'), false) as phi,
    coalesce(bool_or(holds = 'evidence'), false) as evidence,
    coalesce(bool_or(holds = 'audit-logs'), false) as audit_logs,
    bool_and(coalesce(holds = 'access-logs' and in_force, false)) as only_access_logs,
    bool_or(partner) as partner,
    coalesce(bool_or(in_force), false) as registered,
    coalesce(bool_and(not in_force), false) as expired,
    bool_or(in_force is null) as used
  from named
  group by all
)
select
  coalesce(b.source, (select min(source) from aws.s3_buckets), 'aws') as source, b.account, s.bucket, b.name is not null as found,
  s.phi, s.evidence, s.audit_logs, s.only_access_logs, s.registered, s.expired
from buckets s
left join aws.s3_buckets b on b.name = s.bucket
where s.bucket <> '' and (b.name is not null or s.registered or s.used) and not (b.name is null and s.partner)
