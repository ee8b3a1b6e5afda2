with held as (
  select
    h.source, h.user_name, r.id as rule,
    bool_or(list_contains(r."left", h.role)) and bool_or(list_contains(r."right", h.role)) as both_sides,
    bool_or(list_contains(c.admin_roles, h.role)) as admin,
    bool_or(h.role is null) as unknown
  from fact.role_closure h
  cross join register.sod_rules r
  cross join params c
  group by all
),
entries as (
  select "user", rule, compensation, false as expired from register.sod_compensations
  union all
  select "user", rule, null, true from register_expired.sod_compensations
),
compensated as (
  select p.item, bool_or(not e.expired) as in_force, min(e.compensation) as compensation
  from population p
  join entries e on e."user" = p.user_name and e.rule in (p.rule, '*')
  group by all
),
judged as (
  select
    p.item, p.kind, h.both_sides, h.admin, h.unknown, k.compensation,
    case
      when p.kind = 'rule' then 'rule-without-roles'
      when not h.both_sides and not h.unknown then ''
      when h.both_sides and h.admin and k.in_force then ''
      when h.both_sides is distinct from true then 'unknown-value'
      when not h.admin then 'combined-duties'
      when k.item is not null then 'registration-expired'
      else 'inherent-admin'
    end as reason
  from population p
  left join held h on h.source = p.source and h.user_name = p.user_name and h.rule = p.rule
  left join compensated k on k.item = p.item
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when kind = 'rule' then 'a side that names no role of any account'
    when both_sides and admin then 'administrator on both sides' || coalesce(', compensated by ' || compensation, '')
    when both_sides then 'both sides'
    when unknown is distinct from false then 'not known'
    else 'one side at most'
  end as observed,
  case when kind = 'rule' then 'roles on both sides' else 'one side at most, or an administrator with a compensation' end as expected
from judged
