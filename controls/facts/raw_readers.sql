-- The rule of access-no-raw-grants, over the same facts.
with holds as (
  select f.source, f.holder_kind, f.holder
  from fact.zone_reach f
  cross join settings s
  where f.env = 'prod' and list_contains(s.raw_zones, f.zone)
),
people as (
  select source, user_name from fact.user where active and kind = 'human'
)
select h.source, h.holder
from holds h
cross join settings s
left join register.role_classes r on r.role = h.holder
where h.holder is null or (h.holder_kind <> 'USER' and (h.holder = 'PUBLIC' or list_contains(s.reader_classes, r.class)))
union
select h.source, h.holder
from holds h
join people p on p.source = h.source and p.user_name = h.holder
where h.holder_kind = 'USER'
union
select h.source, e.holder
from holds h
join fact.role_edges e on e.source = h.source and e.role_kind = h.holder_kind and e.role = h.holder
join people p on p.source = e.source and p.user_name = e.holder
left join register.role_classes r on r.role = e.role
where e.holder_kind = 'USER' and coalesce(r.class, '') not in ('engineer', 'admin', 'system')
