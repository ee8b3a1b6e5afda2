-- A role nobody can name may be an administrator role. wrong: an administrator role, or outside the hierarchy; more: secondary
-- roles on, or run as an administrator; NULL where it is not known.
with holders as (
  select distinct c.source, c.user_name
  from fact.role_closure c
  cross join params p
  where c.role is null or list_contains(p.admin_roles, c.role)
),
owned as (
  select source, 'task' as kind, concat_ws('.', database_name, schema_name, name) as name, database_name, owner, execute_as_user as runs_as from snowflake.tasks
  union all
  select source, 'procedure', concat_ws('.', procedure_catalog, procedure_schema, procedure_name), procedure_catalog, procedure_owner, null
  from snowflake.procedures
  where deleted is null
  union all
  select source, lower(granted_on), concat_ws('.', table_catalog, table_schema, regexp_replace(name, '\(.*$', '')), table_catalog, grantee_name, null
  from snowflake.grants_to_roles
  where deleted_on is null and upper(privilege) = 'OWNERSHIP' and upper(granted_on) in ('TASK', 'PROCEDURE')
)
select
  u.source || '/user ' || u.user_name as item, 'user' as kind,
  exists (select 1 from holders h where h.source = u.source and coalesce(h.user_name, u.user_name) = u.user_name) as holds_admin,
  coalesce(list_contains(p.admin_roles, s.default_role), false) as wrong,
  s.default_role is null as unnamed,
  not regexp_matches(s.default_secondary_role, '^\[\s*\]$') as more
from fact.user u
cross join params p
join snowflake.users s on s.source = u.source and s.name = u.user_name and s.deleted_on is null
where u.active and u.kind <> 'platform'
union all
select distinct source || '/user unknown', 'user', true, false, true, false from fact.user where active and user_name is null
union all
select distinct
  e.source || '/' || coalesce(e.role, 'unknown role') || ' in ' || coalesce(e.holder, 'unknown role'), 'grant', null,
  not list_contains(p.hierarchy, e.holder || ' > ' || e.role), e.role is null or e.holder is null, null
from fact.role_edges e
cross join params p
where e.holder_kind <> 'USER' and (e.role is null or list_contains(p.admin_roles, e.role))
union all
select
  o.source || '/' || o.kind || ' ' || o.name as item, o.kind, true,
  bool_or(list_contains(p.admin_roles, o.owner)), bool_or(o.owner is null), bool_or(h.source is not null)
from owned o
cross join params p
left join holders h on h.source = o.source and h.user_name = o.runs_as
where not coalesce(list_contains(p.platform_databases, o.database_name), false)
group by item, o.kind
