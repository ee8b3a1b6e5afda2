with statements as (
  select
    p.item, p.account,
    unnest(case json_type(p.policy, '$.Statement') when 'ARRAY' then json_extract(p.policy, '$.Statement[*]') else [json_extract(p.policy, '$.Statement')] end) as s
  from population p
),
spelled as (
  select item, account, s, json_extract(s, '$.Principal.*') as kinds from statements where lower(s ->> '$.Effect') is distinct from 'deny'
),
allowing as (
  select
    item, account,
    case json_type(s, '$.Principal')
      when 'OBJECT' then flatten(list_transform(kinds, lambda p: case json_type(p) when 'ARRAY' then json_extract_string(p, '$[*]') else [p ->> '$'] end))
      else ['*']
    end as principals,
    coalesce(regexp_full_match(lower((s -> '$.Condition')::varchar), '\{.*"stringequals":\{[^}]*"(kms:calleraccount|aws:principalaccount|aws:principalorgid)":(\["[^"*]+"(,"[^"*]+")*\]|"[^"*]+")[^}]*\}.*\}'), false) as narrowed
  from spelled
),
principals as (
  select
    a.item, a.account as own, a.narrowed, u.principal,
    case when regexp_full_match(u.principal, '\d{12}') then u.principal else regexp_extract(u.principal, '^arn:aws[a-z-]*:(?:iam|sts)::(\d{12}):', 1) end as account
  from allowing a
  cross join unnest(a.principals) as u(principal)
),
policies as (
  select
    p.item,
    bool_or(p.principal = '*' and not p.narrowed) as open_to_all,
    bool_or(p.principal <> '*' and r.account is null and e.account is null) as foreigners,
    bool_or(p.principal <> '*' and r.account is null) as outsiders,
    concat_ws('; ',
      'allows accounts or principals that are not registered: ' || string_agg(distinct coalesce(nullif(p.account, ''), p.principal), ', ' order by coalesce(nullif(p.account, ''), p.principal)) filter (where p.principal <> '*' and r.account is null and e.account is null),
      'allows accounts whose registration has run out: ' || string_agg(distinct p.account, ', ' order by p.account) filter (where p.principal <> '*' and r.account is null and e.account is not null)
    ) as observed
  from principals p
  left join (select distinct account from register.aws_accounts) r on r.account = p.account
  left join (select distinct account from register_expired.aws_accounts) e on e.account = p.account
  where p.account is distinct from p.own and not regexp_full_match(p.principal, '[a-z0-9.-]+\.amazonaws\.com(\.cn)?')
  group by all
),
judged as (
  select
    p.*, c.max_days, p.spec <> 'SYMMETRIC_DEFAULT' or p.origin <> 'AWS_KMS' as by_hand,
    coalesce(o.open_to_all, false) as open_to_all, o.foreigners, coalesce(o.outsiders, false) as outsiders, o.observed as allows
  from population p
  cross join params c
  left join policies o on o.item = p.item
),
reasoned as (
  select
    *,
    case
      when arn is not null and state = 'Enabled' and deletion_date is null and spec = 'SYMMETRIC_DEFAULT' and origin = 'AWS_KMS' and rotation_enabled and rotation_period_days <= max_days
        and not open_to_all and not outsiders then ''
      when deletion_date is not null or state = 'PendingDeletion' then 'deletion-scheduled'
      when state <> 'Enabled' then 'not-enabled'
      when json_type(policy, '$.Statement') is null then 'unknown-value'
      when open_to_all then 'open-principal'
      when foreigners then 'foreign-account'
      when outsiders then 'account-expired'
      when by_hand and state is not null then 'manual-rotation'
      when not rotation_enabled then 'no-rotation'
      when rotation_enabled and rotation_period_days > max_days then 'period-too-long'
      else 'unknown-value'
    end as reason
  from judged
)
select
  item,
  case when reason = '' then 'pass' when reason = 'manual-rotation' then 'review' else 'fail' end as result,
  reason,
  coalesce(state, 'unknown state') || ', ' || coalesce(spec, 'unknown kind') || ', material ' || coalesce(origin, 'unknown') || ', '
    || case when rotation_enabled then 'rotates every ' || coalesce(rotation_period_days::varchar, 'unknown number of') || ' days' when not rotation_enabled then 'does not rotate' else 'rotation unknown' end
    || coalesce(', deletion on ' || strftime(deletion_date, '%Y-%m-%d'), '') || case when json_type(policy, '$.Statement') is null then '; policy not shown' when open_to_all then '; the policy allows everybody' else '' end
    || coalesce('; the policy ' || nullif(allows, ''), '') as observed,
  'enabled, rotates at least every ' || max_days || ' day' || if(max_days = 1, '', 's') || ', registered accounts only' as expected
from reasoned
