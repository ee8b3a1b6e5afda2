-- One step per level; at each depth a role stands once, so a circle ends at the cap and costs little.
with recursive nodes as (
  select source, role_kind as kind, role from fact.role_edges where role is not null
  union
  select source, holder_kind, holder from fact.role_edges where holder is not null and holder_kind <> 'USER'
  union
  select
    source,
    case when role_type = 'DATABASE_ROLE' then 'DATABASE_ROLE' else 'ROLE' end,
    case when role_type = 'DATABASE_ROLE' then role_database_name || '.' || name else name end
  from snowflake.roles
  where deleted_on is null and name is not null
),
edges as (
  select source, holder_kind, holder, role_kind, role from fact.role_edges where holder is not null and holder_kind <> 'USER'
  union
  -- a holder nobody can name may be any role
  select n.source, n.kind, n.role, e.role_kind, e.role
  from fact.role_edges e
  join nodes n on n.source = e.source and n.kind = e.holder_kind
  where e.holder is null
),
reach as (
  select source, kind as start_kind, role as start_role, kind as role_kind, role, 0 as depth, role as path from nodes
  union
  select r.source, r.start_kind, r.start_role, e.role_kind, e.role, r.depth + 1, min(r.path || ' > ' || coalesce(e.role, '?'))
  from reach r
  join edges e on e.source = r.source and e.holder_kind = r.role_kind and e.holder = r.role
  where r.depth < 40 and (e.role is distinct from r.start_role or e.role_kind <> r.start_kind)
  group by r.source, r.start_kind, r.start_role, e.role_kind, e.role, r.depth
),
shortest as (
  select source, start_kind, start_role, role_kind, role, min(depth) as depth from reach group by all
)
select r.source, r.start_kind, r.start_role, r.role_kind, r.role, r.depth, r.path
from reach r
join shortest s
  on s.source = r.source and s.start_kind = r.start_kind and s.start_role = r.start_role and s.role_kind = r.role_kind
  and s.role is not distinct from r.role and s.depth = r.depth
