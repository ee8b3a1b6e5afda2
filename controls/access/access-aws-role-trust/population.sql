-- Several integrations may share a role: what they may is taken together.
with integrations as (
  select
    source, integration_name,
    max(property_value) filter (where regexp_matches(upper(property), '_ROLE_ARN$')) as arn,
    max(property_value) filter (where regexp_matches(upper(property), '_IAM_USER_ARN$')) as principal,
    max(property_value) filter (where regexp_matches(upper(property), '_EXTERNAL_ID$')) as external_id,
    max(property_value) filter (where upper(property) = 'STORAGE_ALLOWED_LOCATIONS') as locations
  from snowflake.integrations_desc
  group by all
),
named as (
  select
    arn, list(principal order by principal) as principals, list(external_id order by external_id) as external_ids,
    list_transform(string_split(string_agg(locations, ',' order by locations), ','), lambda l: rtrim(regexp_replace(trim(l), '^s3[a-z]*://', ''), '/') || '/') as places
  from integrations
  where arn <> ''
  group by all
),
snowflake_accounts as (
  select account from register.aws_accounts where kind = 'snowflake'
  union
  select regexp_extract(principal, ':(\d{12}):', 1) from integrations where regexp_matches(principal, ':\d{12}:')
),
trusting as (
  select distinct arn
  from (select arn, unnest(regexp_extract_all(trust_policy::varchar, '\d{12}')) as account from aws.iam_roles)
  where account in (select account from snowflake_accounts)
)
select
  coalesce(r.source, (select min(source) from aws.iam_roles), 'aws') || '/' || a.arn as item, r.source, a.arn, r.arn is not null as found, n.arn is not null as integrated,
  n.principals, n.external_ids, coalesce(n.places, []) as places, r.trust_policy::varchar as trust, r.attached_policies as attached, r.inline_policies::varchar as inline
from (select arn from named union select coalesce(arn, '?') from trusting) a
left join aws.iam_roles r on coalesce(r.arn, '?') = a.arn
left join named n on n.arn = a.arn
