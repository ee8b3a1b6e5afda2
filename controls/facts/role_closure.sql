with granted as (
  select source, holder as user_name, role_kind, role from fact.role_edges where holder_kind = 'USER'
  union
  select source, user_name, 'ROLE', 'PUBLIC' from fact.user
),
paths as (
  select g.source, g.user_name, r.role_kind, r.role, r.depth + 1 as depth, min(r.path) as path
  from granted g
  join fact.role_reach r on r.source = g.source and r.start_kind = g.role_kind and r.start_role = g.role
  group by all
  union
  select source, user_name, role_kind, role, 1, coalesce(role, '?') from granted where role is null or role = 'PUBLIC'
),
shortest as (
  select source, user_name, role_kind, role, min(depth) as depth from paths group by all
)
select p.source, p.user_name, p.role_kind, p.role, p.depth, p.path
from paths p
join shortest s
  on s.source = p.source and s.user_name is not distinct from p.user_name and s.role_kind = p.role_kind
  and s.role is not distinct from p.role and s.depth = p.depth
