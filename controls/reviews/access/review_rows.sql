-- One row is what one REVOKE (or one look at a role's own privileges) would be about. rank: the grave things first.
with straight as (
  select
    source, grantee_name as holder, role, min(created_on) as created_on,
    string_agg(distinct granted_by, ', ' order by granted_by) as granted_by
  from snowflake.grants_to_users
  where deleted_on is null
  group by all
),
-- when and by whom the other roles were granted; names as fact.role_edges spells them
made as (
  select
    source,
    case when upper(granted_on) in ('DATABASE_ROLE', 'DATABASE ROLE') or (granted_on is null and table_catalog is not null) then 'DATABASE_ROLE' else 'ROLE' end as role_kind,
    case
      when upper(granted_on) in ('DATABASE_ROLE', 'DATABASE ROLE') or (granted_on is null and table_catalog is not null) then table_catalog || '.' || name
      else name
    end as role,
    case
      when granted_to is null then null
      when upper(granted_to) in ('ROLE', 'ACCOUNT ROLE', 'ACCOUNT_ROLE') then 'ROLE'
      else replace(upper(granted_to), ' ', '_')
    end as holder_kind,
    grantee_name,
    table_catalog || '.' || grantee_name as grantee_in_database,
    min(created_on) as created_on,
    string_agg(distinct granted_by, ', ' order by granted_by) as granted_by
  from snowflake.grants_to_roles
  where deleted_on is null and coalesce(upper(privilege), 'USAGE') = 'USAGE'
    and (upper(granted_on) in ('ROLE', 'DATABASE_ROLE', 'DATABASE ROLE') or (granted_on is null and table_schema is null))
  group by all
),
other as (
  select
    e.source, e.holder_kind, e.holder, e.role_kind, e.role, min(m.created_on) as created_on,
    string_agg(distinct m.granted_by, ', ' order by m.granted_by) as granted_by
  from fact.role_edges e
  left join straight s
    on e.holder_kind = 'USER' and e.role_kind = 'ROLE' and s.source = e.source and s.holder is not distinct from e.holder and s.role is not distinct from e.role
  left join made m
    on m.source = e.source and m.role_kind = e.role_kind and m.role is not distinct from e.role
    and coalesce(m.holder_kind, e.holder_kind) = e.holder_kind
    and case when e.holder_kind = 'DATABASE_ROLE' then m.grantee_in_database else m.grantee_name end is not distinct from e.holder
  where s.source is null
  group by all
),
roles as (
  select source, 'USER' as holder_kind, holder, 'ROLE' as role_kind, role, created_on, granted_by from straight
  union all
  select source, holder_kind, holder, role_kind, role, created_on, granted_by from other
),
privileges as (
  select
    source, grantee_name as holder, upper(privilege) as privilege, upper(granted_on) as object_type, table_catalog, table_schema, name,
    min(created_on) as created_on, string_agg(distinct granted_by, ', ' order by granted_by) as granted_by
  from snowflake.grants_to_roles
  where deleted_on is null and replace(upper(coalesce(granted_to, 'USER')), ' ', '_') = 'USER'
  group by all
),
own as (
  select
    c.source, c.holder_kind, c.holder, count(*) as privileges,
    count(distinct c.object) filter (where c.phi in ('declared', 'suspected') and (upper(c.privilege) in ('SELECT', 'OWNERSHIP') or upper(c.privilege) like 'ALL%')) as phi_read,
    count(distinct c.object) filter (
      where c.phi in ('declared', 'suspected')
        and (upper(c.privilege) in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'OWNERSHIP', 'EVOLVE SCHEMA') or upper(c.privilege) like 'ALL%')
    ) as phi_write,
    count(*) filter (where c.phi = 'in its place') as phi_later,
    string_agg(distinct upper(c.privilege), ', ' order by upper(c.privilege)) filter (where list_contains(s.powerful, upper(c.privilege))) as powerful
  from fact.review_contents c
  cross join settings s
  where c.holder_kind <> 'USER'
  group by all
),
everything as (
  select
    r.source, case when r.holder_kind <> 'USER' then 'role in a role' when r.role_kind = 'DATABASE_ROLE' then 'database role of a user' else 'role of a user' end as kind,
    r.holder_kind, r.holder, r.role_kind, r.role,
    coalesce(r.role, 'unknown role') as access,
    r.created_on, r.granted_by, w.roles, w.objects, w.phi_read, w.phi_write, w.phi_later, w.powerful,
    case when r.role is null or r.holder is null then 'unknown role or holder' else w.admin end as admin
  from roles r
  left join fact.review_reach w on w.source = r.source and w.role_kind = r.role_kind and w.role = r.role
  union all
  select
    c.source, 'privilege of a user', 'USER', c.holder, null, null,
    coalesce(c.privilege, 'unknown privilege') || ' on ' || coalesce(c.object_type, 'unknown kind') || ' ' || coalesce(c.object, 'unknown object'),
    min(p.created_on), string_agg(distinct p.granted_by, ', ' order by p.granted_by), 0, 1,
    count(distinct c.object) filter (where c.phi in ('declared', 'suspected') and (upper(c.privilege) in ('SELECT', 'OWNERSHIP') or upper(c.privilege) like 'ALL%')),
    count(distinct c.object) filter (
      where c.phi in ('declared', 'suspected')
        and (upper(c.privilege) in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'OWNERSHIP', 'EVOLVE SCHEMA') or upper(c.privilege) like 'ALL%')
    ), 0,
    string_agg(distinct upper(c.privilege), ', ' order by upper(c.privilege)) filter (where list_contains(s.powerful, upper(c.privilege))),
    case when c.holder is null or c.privilege is null then 'unknown privilege or holder' end
  from fact.review_contents c
  cross join settings s
  left join privileges p
    on p.source = c.source and p.holder is not distinct from c.holder and p.privilege is not distinct from upper(c.privilege)
    and p.object_type is not distinct from c.object_type
    and case
      when c.object_type in ('DATABASE') then coalesce(p.table_catalog, p.name)
      when c.object_type = 'SCHEMA' then concat_ws('.', p.table_catalog, coalesce(p.table_schema, p.name))
      else concat_ws('.', p.table_catalog, p.table_schema, p.name)
    end = c.object
  where c.holder_kind = 'USER'
  group by all
  union all
  select
    source, 'privileges of a role', holder_kind, holder, holder_kind, holder, 'its own privileges', null, null, 0, privileges,
    phi_read, phi_write, phi_later, powerful, case when holder is null then 'unknown holder' end
  from own
),
people as (
  select source, user_name, min(kind) as kind, bool_or(live) as live, bool_or(active) as active from fact.user group by all
)
select
  e.source, e.kind, e.holder_kind, e.holder, e.role_kind, e.role, e.access, e.created_on, e.granted_by,
  coalesce(e.roles, 0) as roles, coalesce(e.objects, 0) as objects, coalesce(e.phi_read, 0) as phi_read, coalesce(e.phi_write, 0) as phi_write,
  coalesce(e.phi_later, 0) as phi_later, e.powerful, e.admin,
  case when e.holder_kind = 'USER' then coalesce(u.kind, 'not in USERS') end as user_kind,
  case
    when e.holder_kind <> 'USER' then null
    when u.source is null then 'not in USERS'
    when u.active then 'active'
    when u.live then 'disabled or expired'
    else 'dropped'
  end as user_state,
  case
    when e.admin is not null then 1
    when e.powerful is not null then 2
    when e.phi_write > 0 then 3
    when e.phi_read > 0 then 4
    when e.phi_later > 0 then 5
    when e.kind = 'privilege of a user' then 6
    else 7
  end as rank
from everything e
left join people u on e.holder_kind = 'USER' and u.source = e.source and u.user_name = e.holder
