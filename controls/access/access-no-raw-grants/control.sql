-- A database role in the register is written DATABASE.ROLE.
with roles_beside as (
  select e.source, e.holder as user_name, e.role_kind, e.role
  from fact.role_edges e
  cross join params c
  left join register.role_classes r on r.role = e.role
  where e.holder_kind = 'USER' and e.role is distinct from 'PUBLIC'
    and not list_contains(c.classes, coalesce(r.class, ''))
    and coalesce(r.class, '') not in ('engineer', 'admin', 'system')
    and not coalesce(list_contains(c.exempt_roles, e.role), false)
),
hold as (
  select source, 'ROLE' as holder_kind, holder, database, schema, kind, what, path, objects from fact.zone_reach where holder_kind in ('ROLE', 'DATABASE_ROLE')
  union all
  select source, 'USER', holder, database, schema, kind, what, path, objects from fact.zone_reach where holder_kind = 'USER'
  union all
  select b.source, 'USER', b.user_name, f.database, f.schema, case when f.kind = 'direct' then 'inherited' else f.kind end, f.what, f.path, f.objects
  from roles_beside b
  join fact.zone_reach f on f.source = b.source and f.holder_kind = b.role_kind and f.holder = b.role
),
ranked as (
  select *, case kind when 'direct' then 1 when 'inherited' then 2 when 'future' then 3 else 4 end as rank from hold
),
matched as (
  select p.item, h.rank, h.what, h.path, h.objects
  from population p
  join ranked h on h.source = p.source and h.holder_kind = p.holder_kind and h.holder = p.holder and h.database = p.database and h.schema = p.schema
  where not p.exempt
  union all
  -- a holder nobody can name may be anybody
  select p.item, 4, h.what, h.path, h.objects
  from population p
  join ranked h on h.holder is null and h.source = p.source and h.holder_kind = p.holder_kind and h.database = p.database and h.schema = p.schema
  where not p.exempt
  union all
  -- a role nobody can name may be any role
  select p.item, 4, 'anything', '?', 1
  from population p
  join roles_beside b on b.role is null and b.source = p.source and coalesce(b.user_name, p.holder) = p.holder
  where p.holder_kind = 'USER'
),
best as (
  select item, min(rank) as rank from matched group by all
),
found as (
  select m.item, m.rank, min(m.what) as what, min(m.path) as path, sum(m.objects)::bigint as objects
  from matched m
  join best b on b.item = m.item and b.rank = m.rank
  group by all
)
select
  p.item,
  case when f.item is null then 'pass' else 'fail' end as result,
  case f.rank when 1 then 'direct-privilege' when 2 then 'inherited-privilege' when 3 then 'future-privilege' when 4 then 'unknown-value' else '' end as reason,
  case when f.item is null then 'no privilege on data' else f.what || ' and the like, ' || f.objects || ' grant' || if(f.objects = 1, '', 's') || ', by ' || f.path end as observed,
  'no privilege on data' as expected
from population p
left join found f on f.item = p.item
