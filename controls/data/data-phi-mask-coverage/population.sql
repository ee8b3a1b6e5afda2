-- Raw zones may stay unmasked only while nobody who reads can reach them.
with zoned as (
  select
    p.source, p.database_name, p.schema_name, p.object_name, p.column_name, p.seen, p.contract_class, p.contract_policy, p.sources,
    coalesce(own.zone, whole.zone) as zone, coalesce(own.env, whole.env) as env
  from fact.phi_columns p
  left join register.zones own on own.database = p.database_name and own.schema = p.schema_name
  left join register.zones whole on whole.database = p.database_name and whole.schema = '*'
  where p.state = 'declared'
)
select distinct
  z.source || '/' || coalesce(z.database_name, '?') || '.' || coalesce(z.schema_name, '?') || '.' || coalesce(z.object_name, '?') || '.' || coalesce(z.column_name, '*') as item,
  z.source, z.database_name, z.schema_name, z.object_name, z.column_name, z.seen, z.contract_class, z.contract_policy, z.sources
from zoned z
cross join params c
cross join settings s
where not (
  coalesce(z.env = 'prod' and list_contains(s.raw_zones, z.zone), false)
  and not c.mask_raw
  and not exists (select 1 from fact.raw_readers h where h.source = z.source)
)
