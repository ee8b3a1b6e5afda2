with people as (
  select u.source, u.user_name, u.has_password, b."user" is not null as emergency
  from fact.user u
  left join (select distinct "user" from register.break_glass) b on b."user" = u.user_name
  where u.kind = 'human' and u.active
)
-- a password flag that is not known counts as a password
select
  s.source || '/account sign-on' as item, s.source, null as user_name, null::boolean as has_password, null::boolean as emergency,
  count(p.user_name) filter (where p.has_password is distinct from false) as passwords,
  count(p.user_name) filter (where p.has_password is distinct from false and p.emergency) as emergencies
from (select distinct source from fact.user) s
left join people p on p.source = s.source
group by all
union all
select source || '/' || user_name, source, user_name, has_password, emergency, null, null from people
