-- Upwards from each administrator role to its holders; the walk ends at another administrator role, which is counted for itself.
with recursive admin_roles as (
  select unnest(admin_roles) as role from params
),
live_roles as (
  select source, name as role
  from snowflake.roles
  where deleted_on is null and coalesce(role_type, 'ROLE') = 'ROLE' and name in (select role from admin_roles)
),
-- a role nobody can name may be any of them
edges as (
  select source, holder_kind, holder, role_kind, role from fact.role_edges where role is not null
  union all
  select e.source, e.holder_kind, e.holder, 'ROLE', a.role from fact.role_edges e join live_roles a on a.source = e.source where e.role is null
),
sources as (
  select distinct source from fact.user
  union
  select distinct source from fact.role_edges
),
holders as (
  select s.source, a.role as admin_role, 'ROLE' as holder_kind, a.role as holder, 0 as depth
  from sources s
  cross join admin_roles a
  union
  select h.source, h.admin_role, e.holder_kind, e.holder, h.depth + 1
  from holders h
  join edges e on e.source = h.source and e.role_kind = h.holder_kind and e.role = h.holder
  where h.depth < 40
    and h.holder_kind <> 'USER'
    and not (e.holder_kind = 'ROLE' and coalesce(e.holder in (select role from admin_roles), false))
),
own as (
  select distinct source, admin_role, holder as user_name from holders where holder_kind = 'USER'
),
active_holders as (
  select o.source, o.admin_role, o.user_name, u.kind, u.email
  from own o
  join fact.user u on u.source = o.source and u.user_name = o.user_name and u.active
  union
  -- nor may it be nobody when a user, or a role with whoever is in it, cannot be named
  select source, admin_role, null, null, null from holders where holder is null
),
reached as (
  select c.source, c.role as admin_role, count(distinct c.user_name) as people
  from fact.role_closure c
  join fact.user u on u.source = c.source and u.user_name = c.user_name and u.active
  where c.role_kind = 'ROLE' and c.role in (select role from admin_roles)
  group by all
),
counted as (
  select source, admin_role, count(distinct user_name) as people from active_holders group by all
),
existing as (
  select source, role as admin_role from live_roles
  union
  select source, admin_role from reached
  union
  select source, 'ACCOUNTADMIN' from sources
)
select
  e.source || '/' || e.admin_role as item, e.source, e.admin_role, null as user_name, null as kind, null as email,
  coalesce(r.people, 0) as reached, coalesce(c.people, 0) as own
from existing e
left join reached r on r.source = e.source and r.admin_role = e.admin_role
left join counted c on c.source = e.source and c.admin_role = e.admin_role
union all
select
  source || '/' || coalesce(user_name, 'unknown user') || ' -> ' || admin_role, source, admin_role, coalesce(user_name, '?'), kind, email, null, null
from active_holders
