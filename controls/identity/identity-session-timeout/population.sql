-- A role that nobody can name may be an administrator's.
select
  u.source || '/' || u.user_name as item, u.source, u.user_name,
  exists (
    select 1 from fact.role_closure r
    where r.source = u.source and coalesce(r.user_name, u.user_name) = u.user_name and (r.role is null or list_contains((select admin_roles from params), r.role))
  ) as admin
from fact.user u
where u.kind = 'human' and u.active
