-- A schema of '*' covers the database's schemas without own row; PHI anywhere in the database counts for it.
with phi as (
  select distinct z.database, z.schema, p.source
  from register.zones z
  join fact.phi_columns p on p.database_name = z.database and z.schema in (p.schema_name, '*') and p.state = 'declared'
)
select
  s.source || '/' || r.role || ' -> ' || z.database || '.' || z.schema as item, s.source, r.role, r.env as own_env, z.database, z.schema, z.env, p.source is not null as phi
from (select distinct source from snowflake.grants_to_roles) s
cross join register.role_environments r
join register.zones z on z.env <> r.env
left join phi p on p.source = s.source and p.database = z.database and p.schema = z.schema
union all
select distinct f.source || '/' || f.holder || ' -> ' || f.database || '.' || f.schema, f.source, f.holder, null, f.database, f.schema, f.env, true
from fact.zone_reach f
join phi p on p.source = f.source and p.database = f.database and p.schema = f.schema
where f.env = 'prod' and f.holder_kind <> 'USER'
  and f.holder not in (select role from register.role_environments)
  and f.holder not in (select role from register.role_classes where class in ('admin', 'system'))
