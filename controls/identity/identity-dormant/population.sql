select
  u.source || '/' || u.user_name as item, u.source, u.user_name, u.last_success_login,
  case when u.kind = 'service' then c.service_max_idle_days else c.max_idle_days end as max_idle_days
from fact.user u
cross join params c
where u.active and u.kind <> 'platform'
  and coalesce(u.created_on < c.as_of - to_days(case when u.kind = 'service' then c.service_max_idle_days else c.max_idle_days end::integer), true)
