-- A grant to a user nobody can name may be anybody's.
with people as (
  select distinct source, user_name from fact.user where active and kind = 'human'
  union
  select source, null from fact.role_closure where user_name is null
)
select p.source || '/' || coalesce(p.user_name, 'unknown user') || ' x ' || r.id as item, 'person' as kind, p.source, p.user_name, r.id as rule
from people p
cross join register.sod_rules r
union all
select (select coalesce(min(source), 'snowflake') from fact.role_reach) || '/rule ' || r.id, 'rule', null, null, r.id
from register.sod_rules r
where len(r."left") = 0 or len(r."right") = 0
  or exists (
    select 1 from (select unnest(r."left" || r."right") as role) n
    where n.role not in (select x.start_role from fact.role_reach x)
  )
