-- Raw zones may stay unmasked only while nobody who reads can reach them: the rule of access-no-raw-grants, over the same facts.
with reader_holds as (
  select f.source, f.holder
  from fact.zone_reach f
  cross join settings s
  left join register.role_classes r on r.role = f.holder
  where f.env = 'prod' and list_contains(s.raw_zones, f.zone)
    and (f.holder is null or (f.holder_kind <> 'USER' and (f.holder = 'PUBLIC' or list_contains(s.reader_classes, r.class))))
  union
  select e.source, e.holder
  from fact.role_edges e
  cross join settings s
  join fact.user u on u.source = e.source and u.user_name = e.holder and u.active and u.kind = 'human'
  join fact.zone_reach f on f.source = e.source and f.holder_kind = e.role_kind and f.holder = e.role
  left join register.role_classes r on r.role = e.role
  where e.holder_kind = 'USER' and f.env = 'prod' and list_contains(s.raw_zones, f.zone)
    and coalesce(r.class, '') not in ('engineer', 'admin', 'system')
  union
  select f.source, f.holder
  from fact.zone_reach f
  cross join settings s
  join fact.user u on u.source = f.source and u.user_name = f.holder and u.active and u.kind = 'human'
  where f.holder_kind = 'USER' and f.env = 'prod' and list_contains(s.raw_zones, f.zone)
),
zoned as (
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
  and not exists (select 1 from reader_holds h where h.source = z.source)
)
