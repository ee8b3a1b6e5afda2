-- Several integrations may share a role: what they may is taken together.
with properties as (
  select
    source, integration_name, property_value as value,
    case
      when regexp_matches(upper(property), '_ROLE_ARN$') then 'role'
      when regexp_matches(upper(property), '_IAM_USER_ARN$') then 'principal'
      when regexp_matches(upper(property), '_EXTERNAL_ID$') then 'external id'
      when upper(property) = 'STORAGE_ALLOWED_LOCATIONS' then 'locations'
    end as kind
  from snowflake.integrations_desc
),
named as (
  select
    r.value as arn,
    list(p.value order by p.value) filter (where p.kind = 'principal') as principals,
    list(p.value order by p.value) filter (where p.kind = 'external id') as external_ids,
    list_transform(
      string_split(string_agg(p.value, ',' order by p.value) filter (where p.kind = 'locations'), ','),
      lambda l: rtrim(regexp_replace(trim(l), '^s3[a-z]*://', ''), '/') || '/'
    ) as places
  from properties r
  join properties p on p.source = r.source and p.integration_name is not distinct from r.integration_name
  where r.kind = 'role' and r.value <> ''
  group by all
),
snowflake_accounts as (
  select account from register.aws_accounts where kind = 'snowflake'
  union
  select regexp_extract(value, ':(\d{12}):', 1) from properties where kind = 'principal'
),
trusting as (
  select distinct arn
  from (select arn, unnest(regexp_extract_all(trust_policy::varchar, '\d{12}')) as account from aws.iam_roles)
  where account in (select account from snowflake_accounts)
)
select
  coalesce(r.source, (select min(source) from aws.iam_roles), 'aws') || '/' || a.arn as item, r.source, a.arn, r.source is not null as found, n.arn is not null as integrated,
  n.principals, n.external_ids, coalesce(n.places, []) as places, r.trust_policy::varchar as trust, r.attached_policies as attached, r.inline_policies::varchar as inline
from (select arn from named union select coalesce(arn, '?') from trusting) a
left join aws.iam_roles r on coalesce(r.arn, '?') = a.arn
left join named n on n.arn = a.arn
