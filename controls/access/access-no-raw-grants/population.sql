with raw as (
  select z.database, z.schema
  from register.zones z
  cross join params c
  where z.env = 'prod' and (list_contains(c.raw_zones, z.zone) or list_contains(c.staging_zones, z.zone))
),
sources as (
  select distinct source from snowflake.grants_to_roles
),
roles as (
  select r.role, list_contains(c.exempt_roles, r.role) as exempt
  from register.role_classes r
  cross join params c
  where list_contains(c.classes, r.class)
  union
  select 'PUBLIC', false
)
select s.source || '/' || r.role || ' -> ' || z.database || '.' || z.schema as item, s.source, 'ROLE' as holder_kind, r.role as holder, z.database, z.schema, r.exempt
from sources s
cross join roles r
cross join raw z
union all
select u.source || '/user ' || u.user_name || ' -> ' || z.database || '.' || z.schema, u.source, 'USER', u.user_name, z.database, z.schema, false
from fact.user u
cross join raw z
where u.active and u.kind = 'human'
