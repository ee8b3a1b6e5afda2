-- admin_roles and powerful are those of access-admin-count and access-powerful-privileges. A role nobody can name may hold anything.
with phi as (
  select distinct source, database_name, schema_name, object_name from fact.phi_columns
),
places as (
  select distinct source, database_name, schema_name from phi
),
admins as (
  select r.source, r.start_kind, r.start_role, string_agg(distinct coalesce(r.role, 'unknown role'), ', ' order by coalesce(r.role, 'unknown role')) as admin
  from fact.role_reach r
  cross join settings s
  where r.role is null or (r.role_kind = 'ROLE' and list_contains(s.admin_roles, r.role))
  group by all
),
reached as (
  select source, start_kind, start_role, count(*) filter (where depth > 0) as roles
  from (select distinct source, start_kind, start_role, role_kind, role, depth from fact.role_reach)
  group by all
),
held as (
  select distinct
    p.source, p.holder_kind, p.holder, upper(p.privilege) as privilege, p.object_type, p.database_name, p.schema_name, p.object_name, p.future,
    f.source is not null as phi,
    p.future and l.source is not null as phi_later
  from fact.role_privileges p
  left join phi f
    on not p.future and f.source = p.source and f.database_name = p.database_name and f.schema_name = p.schema_name and f.object_name = p.object_name
  left join (
    select source, database_name, schema_name from places
    union
    select source, database_name, null from places
  ) l on l.source = p.source and l.database_name = p.database_name and l.schema_name is not distinct from p.schema_name
  where p.holder_kind <> 'USER' and p.holder is not null
),
summed as (
  select
    h.source, h.holder_kind, h.holder,
    count(distinct concat_ws('.', h.object_type, h.database_name, h.schema_name, h.object_name)) filter (where not h.future and h.privilege is not null) as objects,
    count(*) filter (where h.future) as future_grants,
    count(distinct concat_ws('.', h.database_name, h.schema_name, h.object_name)) filter (where h.phi and (h.privilege in ('SELECT', 'OWNERSHIP') or h.privilege like 'ALL%')) as phi_read,
    count(distinct concat_ws('.', h.database_name, h.schema_name, h.object_name)) filter (
      where h.phi and (h.privilege in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'OWNERSHIP', 'EVOLVE SCHEMA') or h.privilege like 'ALL%')
    ) as phi_write,
    count(*) filter (where h.phi_later) as phi_later,
    string_agg(distinct h.privilege, ', ' order by h.privilege) filter (where list_contains(s.powerful, h.privilege)) as powerful
  from held h
  cross join settings s
  group by all
)
select
  r.source, r.start_kind as role_kind, r.start_role as role, r.roles,
  coalesce(h.objects, 0) as objects, coalesce(h.future_grants, 0) as future_grants, coalesce(h.phi_read, 0) as phi_read,
  coalesce(h.phi_write, 0) as phi_write, coalesce(h.phi_later, 0) as phi_later, h.powerful, a.admin
from reached r
left join summed h on h.source = r.source and h.holder_kind = r.start_kind and h.holder = r.start_role
left join admins a on a.source = r.source and a.start_kind = r.start_kind and a.start_role = r.start_role
