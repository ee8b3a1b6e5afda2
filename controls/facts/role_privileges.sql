-- Shares and applications are kept apart. A holder nobody can name is NULL; what a role nobody can name holds is NULL throughout.
with present as (
  select
    source, privilege, upper(granted_on) as object_type, name, grantee_name, table_catalog, table_schema,
    unnest(case
      when granted_to is null then ['ROLE', 'DATABASE_ROLE', 'USER']
      when upper(granted_to) in ('ROLE', 'ACCOUNT ROLE', 'ACCOUNT_ROLE') then ['ROLE']
      else [replace(upper(granted_to), ' ', '_')]
    end) as holder_kind
  from snowflake.grants_to_roles
  where deleted_on is null and coalesce(upper(granted_on), '') not in ('ROLE', 'DATABASE_ROLE', 'DATABASE ROLE')
),
-- a future grant names DB.SCHEMA.<TYPE> or DB.<TYPE>; parts in quotes may hold dots
parts as (
  select *, regexp_extract_all(name, '"(?:[^"]|"")*"|[^."]+') as part from snowflake.future_grants
),
plain as (
  select *, [case when p like '"%' then replace(p[2:-2], '""', '"') else p end for p in part] as names from parts
),
future as (
  select
    source, privilege, upper(grant_on) as object_type, name, grantee_name,
    names[1] as table_catalog,
    case when len(names) >= 3 then names[2] end as table_schema,
    unnest(case
      when grant_to is null then ['ROLE', 'DATABASE_ROLE']
      when upper(grant_to) in ('ROLE', 'ACCOUNT ROLE', 'ACCOUNT_ROLE') then ['ROLE']
      else [replace(upper(grant_to), ' ', '_')]
    end) as holder_kind
  from plain
),
held as (
  select *, false as future from present
  union all by name
  select *, true as future from future
),
placed as (
  select
    source, holder_kind, privilege, object_type, name as object_name, future,
    case
      when holder_kind = 'DATABASE_ROLE' and not starts_with(grantee_name, table_catalog || '.') then table_catalog || '.' || grantee_name
      else grantee_name
    end as holder,
    case when object_type = 'DATABASE' and not future then coalesce(table_catalog, name) else table_catalog end as database_name,
    case when object_type = 'SCHEMA' and not future then coalesce(table_schema, name) else table_schema end as schema_name
  from held
  where holder_kind in ('ROLE', 'DATABASE_ROLE', 'USER')
)
select
  r.source, r.start_kind as holder_kind, r.start_role as holder, r.role as via_role, r.depth, r.path,
  p.privilege, p.object_type, p.database_name, p.schema_name, p.object_name, p.future
from fact.role_reach r
join placed p on p.source = r.source and p.holder_kind = r.role_kind and p.holder = r.role
union all
select
  p.source, p.holder_kind, p.holder, null, 0, coalesce(p.holder, '?'),
  p.privilege, p.object_type, p.database_name, p.schema_name, p.object_name, p.future
from placed p
where p.holder is null or p.holder_kind = 'USER'
  or not exists (select 1 from fact.role_reach r where r.source = p.source and r.start_kind = p.holder_kind and r.start_role = p.holder)
union all
select r.source, r.start_kind, r.start_role, null, r.depth, r.path, null, null, null, null, null, false
from fact.role_reach r
where r.role is null
