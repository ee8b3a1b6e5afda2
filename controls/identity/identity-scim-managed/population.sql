select distinct source || '/account provisioning' as item, source, null as user_name, null as owner from fact.user
union all
select u.source || '/' || u.user_name, u.source, u.user_name, s.owner
from fact.user u
join snowflake.users s on s.source = u.source and s.name is not distinct from u.user_name and s.deleted_on is null
where u.kind = 'human' and u.active
