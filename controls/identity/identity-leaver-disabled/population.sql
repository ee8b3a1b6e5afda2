-- Whoever was hired again after leaving is no leaver. A departure is news if the capture before did not have it, or, on the first night, if it was recorded that day.
with leavers as (
  select
    r.source, r.person_id, r.terminated_at, r.termination_recorded_at as recorded_at,
    case when r.termination_kind in ('voluntary', 'end_of_contract', 'other') then c.sla_hours else c.sla_involuntary_hours end as sla,
    case
      when r.source in (select source from records.roster where night < c.night) then b.person_id is null
      else r.termination_recorded_at >= c.night
    end as news,
    [lower(r.person_id), lower(r.login_name), lower(r.email)] || coalesce(lower(r.former_logins) ->> '$[*]', []) as names
  from records.roster r
  cross join params c
  left join records.roster b on b.night < c.night and b.source = r.source and b.person_id = r.person_id and b.terminated_at = r.terminated_at
  where r.night = c.night
    and r.kind is distinct from 'group'
    and (r.status = 'terminated' or (r.terminated_at <= c.as_of and coalesce(r.hired_on <= r.terminated_at::date, true)))
),
systems as (
  select distinct source as account, 'snowflake' as system from fact.user
  union all
  select null, system from register.systems where kind <> 'snowflake'
)
select
  coalesce(s.account || '/' || l.person_id, l.source || '/' || l.person_id || ' in ' || s.system) as item,
  s.account, s.system, l.person_id, l.names, l.terminated_at, l.sla, l.terminated_at + to_hours(l.sla) as deadline,
  l.news, l.recorded_at
from leavers l
cross join systems s
