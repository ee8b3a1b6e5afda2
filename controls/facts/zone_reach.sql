-- kind: direct, inherited, future, or unknown where a part of the grant is not known. A schema of '*' covers schemas without own row.
with held as (
  select
    p.source, p.holder_kind, p.holder, p.privilege, p.object_type, p.database_name, p.schema_name, p.future, p.depth,
    min(p.path) as path, count(*) as objects
  from fact.role_privileges p
  cross join settings s
  where p.privilege is null
    or (
      list_contains(s.privileges_on_data, upper(p.privilege))
      -- ownership of a role, user or warehouse lies in no database
      and (
        p.database_name is not null or upper(p.privilege) <> 'OWNERSHIP' or p.object_type is null
        or p.object_type in ('TABLE', 'VIEW', 'MATERIALIZED VIEW', 'DYNAMIC TABLE', 'EXTERNAL TABLE', 'STAGE', 'STREAM', 'SCHEMA', 'DATABASE')
      )
    )
  group by all
),
hits as (
  select
    h.source, h.holder_kind, h.holder, z.database, z.schema, z.zone, z.env, h.path, h.objects,
    coalesce(h.privilege, '?') || ' on ' || coalesce(h.object_type, '?') as what,
    case
      when h.privilege is null or h.holder is null or h.database_name is null then 4
      when h.future then 3
      when h.depth > 0 then 2
      else 1
    end as rank
  from register.zones z
  join held h
    on (h.database_name = z.database or h.database_name is null)
    and (
      h.schema_name = z.schema
      or h.schema_name is null
      or (z.schema = '*' and not exists (select 1 from register.zones o where o.database = h.database_name and o.schema = h.schema_name))
    )
  -- future grants on a schema stand instead of those on its database for the same kind of object
  where not (
    h.future and h.schema_name is null and h.database_name is not null
    and exists (
      select 1 from fact.role_privileges o
      where o.future and o.source = h.source and o.object_type = h.object_type and o.database_name = z.database and o.schema_name = z.schema
    )
  )
),
best as (
  select source, holder_kind, holder, database, schema, zone, env, min(rank) as rank from hits group by all
)
select
  b.source, b.holder_kind, b.holder, b.database, b.schema, b.zone, b.env,
  case b.rank when 1 then 'direct' when 2 then 'inherited' when 3 then 'future' else 'unknown' end as kind,
  min(h.what) as what, min(h.path) as path, sum(h.objects)::bigint as objects
from best b
join hits h
  on h.source = b.source and h.holder_kind = b.holder_kind and h.holder is not distinct from b.holder
  and h.database = b.database and h.schema = b.schema and h.rank = b.rank
group by all
