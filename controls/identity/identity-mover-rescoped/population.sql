-- A change whose recording has no moment is judged on the night it arrived.
with due as (
  select
    h.source, h.change_id, h.person_id, h.recorded_at, least(coalesce(h.effective_at, h.recorded_at), h.recorded_at) as since,
    h.effective_at >= c.night + 1 as ahead
  from records.roster_changes h
  cross join params c
  where coalesce(h.kind, 'job') in ('job', 'department') and coalesce(h.recorded_at::date, h.night - c.days::integer) + c.days::integer = c.night
),
names as (
  select person_id, lower(unnest([person_id, login_name, email] || coalesce(former_logins ->> '$[*]', []))) as name from records.roster
),
logins as (
  select distinct n.person_id, u.source, u.user_name
  from (
    select f.source, f.user_name, lower(unnest([f.user_name, trim(s.login_name), f.email])) as name
    from fact.user f
    join snowflake.users s on s.source = f.source and s.name is not distinct from f.user_name and s.deleted_on is null
    where f.active
  ) u
  join names n on n.name = u.name
),
known as (
  select d.*, d.person_id in (select person_id from records.roster) as known from due d
)
select
  coalesce(l.source, k.source) || '/' || coalesce(l.user_name, k.person_id, 'unknown person') || coalesce(' -> ' || g.role, '') || ' after change ' || k.change_id as item,
  k.known and k.recorded_at is not null as clear, k.since, k.ahead, l.user_name, g.role, g.created_on, k.person_id
from known k
left join logins l on l.person_id = k.person_id
left join (
  select distinct source, grantee_name, coalesce(role, '?') as role, min(created_on) as created_on from snowflake.grants_to_users where deleted_on is null group by all
) g on g.source = l.source and coalesce(g.grantee_name, l.user_name) = l.user_name and coalesce(g.created_on < k.since, true)
