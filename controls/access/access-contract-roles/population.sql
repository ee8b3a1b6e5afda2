-- An object that two products describe is covered by both.
with contracted as (
  select database_name, schema_name, object_name, bool_or(coalesce(upper(classification) like 'PHI%', true)) as phi
  from contracts.products
  where column_name is null and interface is distinct from 'share'
  group by all
),
objects as (
  select distinct p.source, p.database_name, p.schema_name, p.object_name, c.phi is not null as contracted, p.database_name || '.' || p.schema_name || '.' || p.object_name as path
  from fact.phi_columns p
  left join contracted c on c.database_name = p.database_name and c.schema_name = p.schema_name and c.object_name = p.object_name
  where p.state = 'declared' or c.phi
),
held as (
  select
    *,
    upper(privilege) as right_name,
    object_type is null or object_type like '%TABLE%' or object_type like '%VIEW%' as readable
  from fact.role_privileges
),
reads as (
  select source, holder_kind, holder, depth, database_name, schema_name, object_name
  from held
  where readable and coalesce(right_name, 'SELECT') in ('SELECT', 'OWNERSHIP', 'ALL', 'ALL PRIVILEGES')
),
readers as (
  select o.source, o.path, o.contracted, r.holder_kind, r.holder, r.depth
  from objects o
  join reads r on r.source = o.source and r.database_name = o.database_name and r.schema_name = o.schema_name and r.object_name = o.object_name
  union all
  -- a grant that does not say on what may be on any of them
  select o.source, o.path, o.contracted, r.holder_kind, r.holder, null
  from objects o
  join reads r
    on r.source = o.source and coalesce(r.database_name, o.database_name) = o.database_name and coalesce(r.schema_name, o.schema_name) = o.schema_name
    and coalesce(r.object_name, o.object_name) = o.object_name
  where r.database_name is null or r.schema_name is null or r.object_name is null
),
collectors as (
  select distinct o.source, g.grantee_name as role
  from objects o
  left join snowflake.collector_grants g on g.source = o.source and upper(g.granted_to) in ('ROLE', 'ACCOUNT ROLE', 'ACCOUNT_ROLE')
),
collector_holds as (
  select h.source, c.role
  from collectors c
  join held h on h.source = c.source and coalesce(h.holder, c.role) in (c.role, 'PUBLIC')
  cross join settings s
  left join (select distinct source, database_name from objects) o on o.source = h.source and o.database_name = h.database_name
  where h.right_name is null or h.right_name = 'MANAGE GRANTS'
    or (list_contains(s.privileges_on_data, h.right_name) and (o.source is not null or (h.database_name is null and h.readable)))
  union all
  select c.source, c.role
  from collectors c
  cross join params p
  join fact.role_reach r on r.source = c.source and r.start_role = c.role
  where list_contains(p.admin_roles, r.role)
)
select source || '/' || path as item, source, 'object' as kind, path, null as holder_kind, null as holder, null::bigint as depth, 0::bigint as hits
from objects
union all
select source || '/' || path || ' <- ' || case holder_kind when 'USER' then 'user ' when 'DATABASE_ROLE' then 'database role ' else '' end || coalesce(holder, 'unknown holder'), source, 'reader', path, holder_kind, holder, min(depth), 0
from readers
where contracted
group by source, path, holder_kind, holder
union all
select c.source || '/collector ' || coalesce(c.role, 'unknown'), c.source, 'collector', null, null, c.role, null, count(h.role)
from collectors c
left join collector_holds h on h.source = c.source and h.role = c.role
group by c.source, c.role
