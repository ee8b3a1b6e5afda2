select
  u.source || '/' || u.user_name as item, u.source, u.user_name, lower(u.email) as email,
  [lower(u.user_name), lower(trim(s.login_name)), lower(u.email)] as names,
  b."user" is not null as emergency,
  a."user" is not null and ends_with(u.user_name, c.admin_account_suffix) as second,
  regexp_matches(lower(u.user_name), c.generic_name_regex) as generic
from fact.user u
cross join params c
join snowflake.users s on s.source = u.source and s.name is not distinct from u.user_name and s.deleted_on is null
left join (select distinct "user" from register.break_glass) b on b."user" = u.user_name
left join (select distinct "user" from register.admins) a on a."user" = u.user_name
where u.kind = 'human' and u.active
