-- What cannot be read as plainly narrow is wide: NotPrincipal, NotAction, NotResource, an effect that is neither word.
with documents as (
  select item, 'trust' as kind, trust as document from population
  union all
  select p.item, 'policy', i.document
  from (select item, unnest(json_extract(inline, '$[*].document')) as document from population) i
  join population p on p.item = i.item
  union all
  select a.item, 'policy', d.document::varchar
  from (select item, source, unnest(attached) as arn from population) a
  left join aws.iam_policies d on d.source = a.source and d.arn = a.arn
),
statements as (
  select
    item, kind,
    unnest(case json_type(document, '$.Statement') when 'ARRAY' then json_extract(document, '$.Statement[*]') else [json_extract(document, '$.Statement')] end) as s
  from documents
),
spelled as (
  select
    item, kind, lower(s ->> '$.Effect') is null as unreadable,
    case json_type(s, '$.Principal.AWS') when 'ARRAY' then json_extract_string(s, '$.Principal.AWS[*]') when 'VARCHAR' then [s ->> '$.Principal.AWS'] end as principals,
    len(json_keys(s, '$.Principal')) as principal_kinds,
    json_extract(s, '$.Condition.StringEquals."sts:ExternalId"') as equals,
    json_extract(s, '$.Condition.StringLike."sts:ExternalId"') as looks,
    case json_type(s, '$.Action') when 'ARRAY' then json_extract_string(s, '$.Action[*]') when 'VARCHAR' then [s ->> '$.Action'] end as actions,
    case json_type(s, '$.Resource') when 'ARRAY' then json_extract_string(s, '$.Resource[*]') when 'VARCHAR' then [s ->> '$.Resource'] end as resources
  from statements
  where lower(s ->> '$.Effect') is distinct from 'deny'
),
tested as (
  select
    t.item, t.unreadable,
    t.kind = 'policy' or coalesce(principal_kinds = 1 and len(t.principals) > 0 and list_has_all(p.principals, t.principals), false) as narrow_trust,
    t.kind = 'policy' or coalesce(list_has_all(p.external_ids, ids.list) and len(ids.list) > 0, false) as asks_id,
    t.kind = 'trust' or coalesce(list_has_all(list_transform(c.allowed_actions, lambda a: lower(a)), list_transform(t.actions, lambda a: lower(a))), false) as narrow_action,
    t.kind = 'trust' or coalesce(len(t.resources) > 0 and len(list_filter(t.resources, lambda r: not (
      regexp_full_match(r, 'arn:aws[a-z-]*:kms:[^*?]+:key/[^*?]+')
      or len(list_filter(p.places, lambda l: l not in ('/', '*/') and (starts_with(regexp_replace(r, '^arn:aws[a-z-]*:s3:::', ''), l) or regexp_replace(r, '^arn:aws[a-z-]*:s3:::', '') = split_part(l, '/', 1)))) > 0
    ))) = 0, false) as narrow_resource
  from spelled t
  join population p on p.item = t.item
  cross join params c
  cross join lateral (select case json_type(coalesce(t.equals, t.looks)) when 'ARRAY' then json_extract_string(coalesce(t.equals, t.looks), '$[*]') when 'VARCHAR' then [coalesce(t.equals, t.looks) ->> '$'] end as list) ids
),
summed as (
  select
    item, bool_or(unreadable) as unreadable, bool_and(narrow_trust) as narrow_trust, bool_and(asks_id) as asks_id, bool_and(narrow_action) as narrow_action, bool_and(narrow_resource) as narrow_resource
  from tested
  group by all
),
judged as (
  select
    p.item, p.found, p.integrated, s.narrow_trust, s.asks_id, s.narrow_action, s.narrow_resource,
    case
      when p.arn = '?' then 'unknown-value'
      when not p.found then 'role-not-found'
      when not p.integrated then 'no-integration'
      when p.attached is not null and json_type(p.inline) = 'ARRAY' and not s.unreadable and s.narrow_trust and s.asks_id and s.narrow_action and s.narrow_resource then ''
      when s.unreadable then 'unknown-value'
      when not s.narrow_trust then 'wide-trust'
      when not s.asks_id then 'no-external-id'
      when not s.narrow_action then 'wide-action'
      when not s.narrow_resource then 'wide-resource'
      else 'unknown-value'
    end as reason
  from population p
  left join summed s on s.item = p.item
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when not found then 'not among the roles of our accounts'
    when not integrated then 'no integration names it'
    else case when narrow_trust then 'trusts the integration only' else 'trust wider or unknown' end || case when asks_id then ', with its external id' else ', external id not asked for' end
      || case when narrow_action and narrow_resource then ', policies narrow' else ', policies wider or unknown' end
  end as observed,
  'the integration''s user and external id, agreed actions, its locations and named keys' as expected
from judged
