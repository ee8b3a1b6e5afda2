with groups as (
  select distinct group_name, role from records.idp_groups
),
requests as (
  select
    coalesce(t.role, m.role) as role, lower(t.user_name) as who, lower(t.approver) as approver, t.approved_at,
    coalesce(lower(t.approver) not in (lower(t.user_name), lower(t.requester)), false) as independent
  from records.tickets t
  left join groups m on m.group_name = t.group_name
  where t.type in ('access', 'change') and t.status in ('approved', 'in_progress', 'resolved', 'closed') and t.approved_at is not null
),
checked as (
  select
    p.item,
    r.approved_at <= p.created_on as before,
    r.approved_at <= p.created_on and r.approved_at >= p.created_on - to_days(c.validity_days) as fresh,
    r.independent,
    exists (select 1 from register.role_owners o where o.role = p.what and lower(o.owner) = r.approver) as owner,
    r.approver is distinct from p.granter and r.approver is distinct from p.other_granter as apart
  from population p
  cross join params c
  join requests r on r.role = p.what and r.who = lower(p.who)
),
found as (
  select
    item, bool_or(before) as before, bool_or(fresh) as fresh, bool_or(fresh and independent) as independent,
    bool_or(fresh and independent and owner) as owned, bool_or(fresh and independent and owner and apart) as approved
  from checked
  group by all
),
contracted as (
  select distinct
    database_name || '.' || schema_name || '.' || object_name as path, unnest(roles_allowed || coalesce(inherited_by, []) || coalesce(system_parents, [])) as role
  from contracts.products
  where column_name is null and interface is distinct from 'share'
),
birthrights as (
  select distinct role from register.role_owners where birthright
),
judged as (
  select
    p.item, p.kind,
    case
      when f.approved then 'approved request'
      when b.role is not null and p.who is not null then 'birthright'
      when list_contains(c.break_glass_roles, p.what) then 'emergency role, tested apart'
      when p.recreated then 'made again'
      when k.role is not null then 'named by the contract'
    end as class,
    case
      when p.kind = 'unseen' then 'unseen-grant'
      when p.kind = 'unreadable' then 'unreadable-statement'
      when p.what is null or p.who is null or p.created_on is null then 'unknown-value'
      when f.item is null then 'no-request'
      when not f.before then 'retroactive'
      when not f.fresh then 'approval-outdated'
      when not f.independent then 'self-approved'
      when not f.owned then 'not-role-owner'
      else 'granter-approved'
    end as reason
  from population p
  cross join params c
  left join found f on f.item = p.item
  left join birthrights b on b.role = p.what
  left join contracted k on k.path = p.path and k.role = p.who
)
select
  item,
  case when class is not null then 'pass' when reason = 'unreadable-statement' then 'review' else 'fail' end as result,
  case when class is not null then '' else reason end as reason,
  coalesce(class, 'no approval that counts') as observed,
  case when kind in ('unseen', 'unreadable') then 'a grant for the statement' else 'approved before, by an owner of the role' end as expected
from judged
