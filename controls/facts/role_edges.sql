-- GRANTED_TO reads ROLE or ACCOUNT ROLE, by version. What is not known stays in as NULL: a role or holder nobody can name.
with dropped as (
  select
    source,
    case when role_type = 'DATABASE_ROLE' then 'DATABASE_ROLE' else 'ROLE' end as kind,
    case when role_type = 'DATABASE_ROLE' then role_database_name || '.' || name else name end as role
  from snowflake.roles
  group by all
  having count(*) filter (where deleted_on is null) = 0
),
role_grants as (
  select
    source,
    name,
    table_catalog,
    grantee_name,
    case
      when granted_on is not null then replace(upper(granted_on), ' ', '_')
      when table_catalog is null then 'ROLE'
      else 'DATABASE_ROLE'
    end as role_kind,
    unnest(case
      when granted_to is null then ['ROLE', 'DATABASE_ROLE', 'USER']
      when upper(granted_to) in ('ROLE', 'ACCOUNT ROLE', 'ACCOUNT_ROLE') then ['ROLE']
      else [replace(upper(granted_to), ' ', '_')]
    end) as holder_kind
  from snowflake.grants_to_roles
  where deleted_on is null
    and coalesce(upper(privilege), 'USAGE') = 'USAGE'
    and (upper(granted_on) in ('ROLE', 'DATABASE_ROLE', 'DATABASE ROLE') or (granted_on is null and table_schema is null))
),
edges as (
  select
    source,
    holder_kind,
    case when holder_kind = 'DATABASE_ROLE' then table_catalog || '.' || grantee_name else grantee_name end as holder,
    role_kind,
    case when role_kind = 'DATABASE_ROLE' then table_catalog || '.' || name else name end as role
  from role_grants
  where holder_kind in ('ROLE', 'DATABASE_ROLE', 'USER')
  union
  select source, 'USER', grantee_name, 'ROLE', role from snowflake.grants_to_users where deleted_on is null
)
select e.source, e.holder_kind, e.holder, e.role_kind, e.role
from edges e
where not exists (select 1 from dropped d where d.source = e.source and d.kind = e.role_kind and d.role = e.role)
  and not exists (select 1 from dropped d where d.source = e.source and d.kind = e.holder_kind and d.role = e.holder)
