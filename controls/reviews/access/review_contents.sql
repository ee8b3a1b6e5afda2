-- phi: declared or suspected of a table or view; for a future grant whether PHI is in its schema or database today.
with phi as (
  select source, database_name, schema_name, object_name, bool_or(state = 'declared') as declared
  from fact.phi_columns
  group by all
),
places as (
  select distinct source, database_name, schema_name from phi
),
held as (
  select distinct source, holder_kind, holder, privilege, object_type, database_name, schema_name, object_name, future
  from fact.role_privileges
  where depth = 0
)
select
  h.source, h.holder_kind, h.holder, h.privilege, h.object_type, h.database_name, h.schema_name,
  case
    when h.future then 'future ' || h.object_name
    when h.object_type = 'DATABASE' then coalesce(h.database_name, h.object_name)
    when h.object_type = 'SCHEMA' then concat_ws('.', h.database_name, coalesce(h.schema_name, h.object_name))
    else concat_ws('.', h.database_name, h.schema_name, coalesce(h.object_name, '?'))
  end as object,
  h.future,
  case
    when p.declared then 'declared'
    when p.source is not null then 'suspected'
    when h.future and exists (
      select 1 from places l
      where l.source = h.source and l.database_name = h.database_name and (h.schema_name is null or l.schema_name = h.schema_name)
    ) then 'in its place'
  end as phi
from held h
left join phi p
  on not h.future and p.source = h.source and p.database_name = h.database_name and p.schema_name = h.schema_name and p.object_name = h.object_name
