select 'register/requirement ' || r.requirement as item, r.requirement, null as source, null as person_id, null as course
from params c
cross join unnest(c.requirements) as r(requirement)
union all
select distinct p.source || '/' || coalesce(p.person_id, 'unknown person') || ' ' || k.course, null, p.source, p.person_id, k.course
from records.roster p
cross join params c
cross join unnest(c.courses) as k(course)
where coalesce(p.status not in ('terminated', 'pre_start', 'leave'), true) and p.kind is distinct from 'group'
  and coalesce(p.hired_on + c.onboarding_days::integer <= c.night, true)
