with rules as (
  select
    p.item, count(*) as rules,
    bool_and(coalesce(r.second_factor_required and r.status = 'active', false)) as required,
    bool_or(r.second_factor_required is null) as unclear
  from population p
  join records.sign_on_policies r
    on r.source = p.source and r.status is distinct from 'inactive'
    and coalesce(lower(r.app), '') = case when (p.source, p.app) in (select (source, lower(app)) from records.sign_on_policies where status is distinct from 'inactive') then p.app else '' end
  where not coalesce(list_contains(lower(r.users_excluded) ->> '$[*]', p.login), false)
  group by all
),
proofs as (
  select distinct source, lower(login_name) as login, unnest([session_id, transaction_id]) as part
  from records.sign_ins
  where second_factor_used and result in ('success', 'allow')
),
sign_ins as (
  select
    i.source, lower(i.login_name) as login, lower(i.app) as app,
    coalesce(i.second_factor_used, false) or s.part is not null or t.part is not null as proved,
    i.second_factor_used
  from records.sign_ins i
  left join proofs s on s.source = i.source and s.login = lower(i.login_name) and s.part = i.session_id
  left join proofs t on t.source = i.source and t.login = lower(i.login_name) and t.part = i.transaction_id
  where i.night = (select night from params) and coalesce(i.result, 'unknown') not in ('failure', 'deny', 'challenge')
),
used as (
  select
    source, login, app, bool_and(proved) as proved,
    count(*) as sign_ins, count(*) filter (where not proved and not second_factor_used) as without
  from sign_ins
  group by all
),
judged as (
  select
    p.item, r.rules, r.required, u.sign_ins, u.proved, u.without,
    case
      when p.login is null then 'unknown-value'
      when r.required and coalesce(u.without, 0) = 0 then ''
      when u.proved then ''
      when u.without > 0 then 'not-used'
      when r.rules is null then 'no-rule'
      when r.unclear then 'unknown-value'
      else 'not-required'
    end as reason
  from population p
  left join rules r on r.item = p.item
  left join used u on u.source = p.source and u.login = p.login and u.app = p.app
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when rules is null then 'no rule' else rules || ' rule' || if(rules = 1, '', 's') || case when required then ', each with a second factor' else ', not each with a second factor' end end
    || '; ' || case when sign_ins is null then 'no sign-in that night' else sign_ins || ' sign-in' || if(sign_ins = 1, '', 's') || case when proved then ', each with a second factor' when without > 0 then ', ' || without || ' without a second factor' else if(sign_ins = 1, ', not known to have one', ', not each known to have one') end end as observed,
  'a second factor at every sign-in, or in every rule and no sign-in without one' as expected
from judged
