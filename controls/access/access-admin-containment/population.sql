-- A role nobody can name may be an administrator role.
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
  u.source || '/user ' || coalesce(u.user_name, 'unknown') as item, 'user' as kind,
  bool_or(h.source is not null or u.user_name is null) as holds_admin,
  coalesce(bool_or(list_contains(p.admin_roles, s.default_role)), false) as wrong,
  bool_or(s.default_role is null or u.user_name is null) as unnamed,
  coalesce(bool_or(not regexp_matches(s.default_secondary_role, '^\[\s*\]$')), false) as more,
  bool_or(s.default_secondary_role is null) as more_unknown
from fact.user u
cross join params p
join snowflake.users s on s.source = u.source and s.name is not distinct from u.user_name and s.deleted_on is null
left join holders h on h.source = u.source and coalesce(h.user_name, u.user_name) = u.user_name
where u.active and u.kind <> 'platform'
group by all
union all
select
  e.source || '/' || coalesce(e.role, 'unknown role') || ' in ' || coalesce(e.holder, 'unknown role') as item, 'grant', null,
  bool_or(not coalesce(list_contains(p.hierarchy, e.holder || ' > ' || e.role), false)), bool_or(e.role is null or e.holder is null), null, null
from fact.role_edges e
cross join params p
where e.holder_kind <> 'USER' and (e.role is null or list_contains(p.admin_roles, e.role))
group by item
union all
select
  o.source || '/' || o.kind || ' ' || o.name as item, o.kind, null,
  coalesce(bool_or(list_contains(p.admin_roles, o.owner)), false), bool_or(o.owner is null), bool_or(h.source is not null), null
from owned o
cross join params p
left join holders h on h.source = o.source and h.user_name = o.runs_as
where not coalesce(list_contains(p.platform_databases, o.database_name), false)
group by item, o.kind
