-- A Deny counts only in its usual form; whatever allows counts unless it is plainly harmless.
with statements as (
  select
    s.source, s.account, s.bucket, s.principals, s.everybody,
    s.effect is not distinct from 'deny' as denies,
    s.effect in ('allow', 'deny') as readable,
    coalesce(regexp_full_match(s.condition, '\{.*"stringequals":\{[^}]*"aws:(principalorgid|sourcevpce?)":(\["[^"*]+"(,"[^"*]+")*\]|"[^"*]+")[^}]*\}.*\}'), false) as narrowed,
    s.effect = 'deny' and s.everybody and list_has_any(s.actions, ['s3:*', '*']) as shuts,
    s.covers_objects, s.covers_bucket,
    regexp_full_match(s.condition, '\{"bool(ifexists)?":\{"aws:securetransport":(\["false"\]|"false"|false)\}\}') as plain_http,
    regexp_full_match(s.condition, '\{"stringnotequals(ifexists)?":\{"aws:sourcevpce?":(\["[^"*]+"(,"[^"*]+")*\]|"[^"*]+")\}\}') as elsewhere
  from fact.bucket_statements s
),
-- an account by number or in an ARN; services by their host name
allowed as (
  select
    s.source, s.bucket, s.account as own, u.principal,
    case when regexp_full_match(u.principal, '\d{12}') then u.principal else regexp_extract(u.principal, '^arn:aws[a-z-]*:(?:iam|sts)::(\d{12}):', 1) end as account,
    regexp_full_match(u.principal, '[a-z0-9.-]+\.amazonaws\.com(\.cn)?') as is_service
  from statements s
  cross join unnest(s.principals) as u(principal)
  where not s.denies and u.principal <> '*'
),
foreigners as (
  select
    a.source, a.bucket,
    bool_and(e.account is not null) as expired,
    concat_ws('; ',
      'allows, not registered: ' || string_agg(distinct coalesce(nullif(a.account, ''), a.principal), ', ' order by coalesce(nullif(a.account, ''), a.principal)) filter (where e.account is null),
      'allows, registration run out: ' || string_agg(distinct coalesce(nullif(a.account, ''), a.principal), ', ' order by coalesce(nullif(a.account, ''), a.principal)) filter (where e.account is not null)
    ) as observed
  from allowed a
  left join (select distinct account from register.aws_accounts) r on r.account = a.account
  left join (select distinct account from register_expired.aws_accounts) e on e.account = a.account
  where not a.is_service and a.account is distinct from a.own and r.account is null
  group by all
),
policies as (
  select
    source, bucket,
    bool_and(coalesce(readable, false)) as readable,
    bool_or(not denies and not narrowed and (everybody or principals is null)) as open_to_all,
    bool_or(shuts and plain_http and covers_objects) and bool_or(shuts and plain_http and covers_bucket) as tls,
    bool_or(shuts and elsewhere and covers_objects) as private,
    concat_ws(' and ', case when bool_or(shuts and plain_http and covers_objects) is not true then 'objects' end, case when bool_or(shuts and plain_http and covers_bucket) is not true then 'the bucket' end) as observed
  from statements
  group by all
),
looked_at as (
  select
    p.*, b.policy_is_public, b.ownership, o.readable, o.open_to_all, o.tls, o.private, o.observed as http_open, f.observed as foreigners, f.expired as account_expired, c.require_vpce,
    concat_ws('; ',
      'not blocked: ' || nullif(concat_ws(', ',
        case when not (b.block_public_acls or coalesce(a.block_public_acls, false)) then 'BlockPublicAcls' end, case when not (b.ignore_public_acls or coalesce(a.ignore_public_acls, false)) then 'IgnorePublicAcls' end,
        case when not (b.block_public_policy or coalesce(a.block_public_policy, false)) then 'BlockPublicPolicy' end, case when not (b.restrict_public_buckets or coalesce(a.restrict_public_buckets, false)) then 'RestrictPublicBuckets' end
      ), ''),
      'block not known: ' || nullif(concat_ws(', ',
        case when (b.block_public_acls or coalesce(a.block_public_acls, false)) is null then 'BlockPublicAcls' end, case when (b.ignore_public_acls or coalesce(a.ignore_public_acls, false)) is null then 'IgnorePublicAcls' end,
        case when (b.block_public_policy or coalesce(a.block_public_policy, false)) is null then 'BlockPublicPolicy' end, case when (b.restrict_public_buckets or coalesce(a.restrict_public_buckets, false)) is null then 'RestrictPublicBuckets' end
      ), '')
    ) as observed,
    (b.block_public_acls or coalesce(a.block_public_acls, false)) and (b.ignore_public_acls or coalesce(a.ignore_public_acls, false))
      and (b.block_public_policy or coalesce(a.block_public_policy, false)) and (b.restrict_public_buckets or coalesce(a.restrict_public_buckets, false)) as blocked
  from population p
  cross join params c
  left join aws.s3_buckets b on b.source = p.source and b.name = p.bucket
  left join aws.s3_account_pab a on a.source = b.source and a.account = b.account
  left join policies o on o.source = p.source and o.bucket = p.bucket
  left join foreigners f on f.source = p.source and f.bucket = p.bucket
),
judged as (
  select
    *,
    case
      when not expired and blocked and not policy_is_public and ownership = 'BucketOwnerEnforced' and readable and not open_to_all and account_expired is null and tls and (private or not require_vpce) then ''
      when not found then 'bucket-not-found'
      when expired then 'registration-expired'
      when policy_is_public then 'public'
      when not blocked then 'not-blocked'
      when ownership <> 'BucketOwnerEnforced' then 'acls-enabled'
      when open_to_all then 'open-principal'
      when account_expired then 'account-expired'
      when not account_expired then 'foreign-account'
      when blocked is null or policy_is_public is null or ownership is null or not readable then 'unknown-value'
      when tls then 'not-private'
      else 'no-tls-deny'
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
      case when expired then 'the registration of what it holds has run out' end,
      case when blocked then 'blocked in all four ways' else observed end,
      case when policy_is_public then 'S3 calls the policy public' when policy_is_public is null then 'whether S3 calls the policy public is not known' end,
      case when ownership = 'BucketOwnerEnforced' then 'no access lists' else coalesce('access lists count: ownership ' || if(ownership = 'unset', 'not set', ownership), 'ownership not known') end,
      case when readable is null then 'no policy shown' when not readable then 'a statement of the policy cannot be read' end,
      case when open_to_all then 'a statement allows everybody' end,
      left(foreigners, 300) || if(length(foreigners) > 300, '…', ''),
      case when tls then 'plain HTTP denied' else 'plain HTTP not denied' || coalesce(' for ' || nullif(http_open, ''), '') end,
      case when require_vpce and private is not true then 'those from elsewhere than the named endpoints not denied' end
    )
  end as observed,
  'four blocks, no access lists, registered accounts only, plain HTTP denied' || case when require_vpce then ', named endpoints only' else '' end as expected
from judged
