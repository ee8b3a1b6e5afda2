with held as (
  select
    h.source, h.user_name, r.id as rule,
    bool_or(list_contains(r."left", h.role)) and bool_or(list_contains(r."right", h.role)) as both_sides,
    bool_or(list_contains(c.admin_roles, h.role)) as admin,
    bool_or(h.role is null) as unknown,
    concat_ws('; ',
      string_agg(distinct h.role, ', ' order by h.role) filter (where list_contains(r."left", h.role)) || ' on one side',
      string_agg(distinct h.role, ', ' order by h.role) filter (where list_contains(r."right", h.role)) || ' on the other side',
      'administrator role' || if(count(distinct h.role) filter (where list_contains(c.admin_roles, h.role)) = 1, ' ', 's ') || string_agg(distinct h.role, ', ' order by h.role) filter (where list_contains(c.admin_roles, h.role)),
      case when bool_or(h.role is null) then 'a role that is not known' end
    ) as observed
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
-- what is wrong with a rule that names no roles, or roles that no account has
named as (
  select
    r.id as rule,
    concat_ws('; ',
      case when len(r."left") = 0 then 'one side names no role' end,
      case when len(r."right") = 0 then 'the other side names no role' end,
      'no account has: ' || (
        select string_agg(distinct n.role, ', ' order by n.role)
        from (select unnest(r."left" || r."right") as role) n
        where n.role not in (select x.start_role from fact.role_reach x)
      )
    ) as observed
  from register.sod_rules r
),
judged as (
  select
    p.item, p.kind, h.both_sides, h.admin, h.unknown, h.observed as roles, n.observed as flaws, k.item is not null as once_compensated, k.in_force, k.compensation,
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
  left join named n on n.rule = p.rule
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when kind = 'rule' then flaws
    when both_sides and admin then roles || case when in_force then '; compensated by ' || compensation when once_compensated then '; the compensation on record has run out' else '; no compensation on record' end
    when both_sides then roles
    when unknown is distinct from false then coalesce(nullif(roles, ''), 'roles not known')
    else 'one side at most'
  end as observed,
  case when kind = 'rule' then 'roles on both sides' else 'one side at most, or an administrator with a compensation' end as expected
from judged
