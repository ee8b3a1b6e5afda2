-- A statement, a principal, an action, a resource may each stand alone or in a list. What a policy covers by another spelling than the
-- usual ones counts as not covered: that can only fail a Deny that is looked for.
with statements as (
  select
    source, account, name as bucket,
    unnest(case json_type(policy, '$.Statement') when 'ARRAY' then json_extract(policy, '$.Statement[*]') else [json_extract(policy, '$.Statement')] end) as s
  from aws.s3_buckets
  where policy_set is distinct from false
),
spelled as (
  select source, account, bucket, s, json_extract(s, '$.Principal.*') as kinds from statements
),
flat as (
  select
    source, account, bucket,
    lower(s ->> '$.Effect') as effect,
    case json_type(s, '$.Principal')
      when 'VARCHAR' then [s ->> '$.Principal']
      when 'OBJECT' then flatten(list_transform(kinds, lambda p: case json_type(p) when 'ARRAY' then json_extract_string(p, '$[*]') else [p ->> '$'] end))
    end as principals,
    case json_type(s, '$.Action') when 'ARRAY' then json_extract_string(s, '$.Action[*]') when 'VARCHAR' then [s ->> '$.Action'] end as actions,
    case json_type(s, '$.Resource') when 'ARRAY' then json_extract_string(s, '$.Resource[*]') when 'VARCHAR' then [s ->> '$.Resource'] end as resources,
    lower((s -> '$.Condition')::varchar) as condition
  from spelled
),
named as (
  select
    source, account, bucket, effect, principals, condition,
    list_transform(actions, lambda a: lower(a)) as actions,
    list_transform(resources, lambda r: regexp_replace(r, '^arn:aws[a-z-]*:s3:::', '')) as resources
  from flat
)
select
  source, account, bucket, effect, principals, actions, condition,
  coalesce(list_contains(principals, '*'), false) as everybody,
  coalesce(list_has_any(resources, ['*', bucket || '/*', bucket || '*']), false) as covers_objects,
  coalesce(list_has_any(resources, ['*', bucket, bucket || '*']), false) as covers_bucket
from named
