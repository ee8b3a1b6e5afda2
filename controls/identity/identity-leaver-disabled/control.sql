with names as (
  select null as item, lower(unnest([person_id, login_name, email])) as name
  from records.roster
  where night = (select night from params) and kind is distinct from 'group' and status in ('active', 'leave', 'pre_start') and (person_id not in (select person_id from population))
  union all
  select item, unnest(names) from population
),
closings as (
  select
    source, max(end_time) as at,
    nullif(regexp_extract(query_text, '(?i)^\s*alter\s+user\s+(?:if\s+exists\s+)?("[^"]+"|[^\s;"]+)\s.*\bdisabled\s*=\s*true', 1), '') as target
  from snowflake.query_history
  where upper(query_type) = 'ALTER_USER' and upper(execution_status) = 'SUCCESS'
  group by all
),
sign_ins as (
  select source, user_name, max(coalesce(event_timestamp, timestamp '9999-12-31 00:00:00')) as last
  from snowflake.login_history
  where upper(is_success) is distinct from 'NO'
  group by all
),
logins as (
  select
    u.source as account, 'snowflake' as system, u.name as login, u.night, u.captured_at,
    u.deleted_on is null and lower(u.disabled) is distinct from 'true' and coalesce(u.expires_at > u.captured_at, true) as enabled,
    coalesce(u.deleted_on, q.at) as closed_at,
    greatest(coalesce(u.last_success_login, s.last), coalesce(s.last, u.last_success_login)) as last_use,
    f.user_name is not null and b."user" is null as personal,
    [lower(u.name), lower(trim(u.login_name)), lower(u.email)] as names
  from snowflake.users u
  left join closings q on q.source = u.source and (q.target = '"' || u.name || '"' or upper(q.target) = u.name)
  left join sign_ins s on s.source = u.source and s.user_name = u.name
  left join fact.user f on f.source = u.source and f.user_name = u.name and f.kind = 'human'
  left join register.break_glass b on b."user" = u.name
  union all
  select
    null, system, account_id, night, captured_at, (status in ('disabled', 'deleted', 'suspended')) is distinct from true,
    coalesce(disabled_at, status_changed_at), last_login_at, kind is distinct from 'service', [lower(person_id), lower(login_name), lower(email)]
  from records.accounts
),
answers as (
  select distinct l.account, l.system, l.login, n.item, n.name is not null as known
  from (select account, system, login, unnest(names) as name from logins) l
  left join names n on n.name = l.name
  left join population p on p.item = n.item
  where n.item is null or (p.system = l.system and p.account is not distinct from l.account)
),
owners as (
  select account, system, login, bool_or(known) as known, bool_or(known and item is null) as current from answers group by all
),
systems as (
  select l.account, l.system, count(*) filter (where l.enabled and l.personal and not o.known) as orphans
  from logins l
  join owners o on o.account is not distinct from l.account and o.system = l.system and o.login = l.login
  where l.night = (select night from params)
  group by all
),
history as (
  select
    a.item,
    bool_or(l.enabled) filter (where l.night = c.night) as enabled,
    string_agg(distinct l.login, ', ' order by l.login) as logins,
    string_agg(distinct l.login, ', ' order by l.login) filter (where l.night = c.night and l.enabled) as open_logins,
    max(l.captured_at) filter (where l.night = c.night) as seen,
    max(l.captured_at) filter (where l.night < c.night and l.enabled) as last_enabled,
    bool_or(l.night < c.night) as seen_before,
    case when bool_and(l.closed_at is not null) filter (where l.night = c.night) then max(l.closed_at) filter (where not l.enabled) end as closed_at,
    max(l.last_use) filter (where l.night = c.night) as last_use
  from answers a
  cross join params c
  join owners o on o.account is not distinct from a.account and o.system = a.system and o.login = a.login and not o.current
  join logins l on l.account is not distinct from a.account and l.system = a.system and l.login = a.login
  group by all
),
looked_at as (
  select
    p.*, h.enabled, h.logins, h.open_logins, h.seen, h.last_enabled, h.closed_at, h.last_use, s.orphans, s.system is not null as collected,
    h.seen <= p.deadline
      or (not h.enabled and h.closed_at <= p.deadline and coalesce(h.closed_at > h.last_enabled, true))
      or (not h.enabled and h.last_enabled is null and not p.news and (h.seen_before or p.deadline < c.night)) as in_time,
    coalesce(h.closed_at, h.seen) <= p.recorded_at + to_hours(p.sla) as late_notice
  from population p
  cross join params c
  left join history h on h.item = p.item
  left join systems s on s.account is not distinct from p.account and s.system = p.system
),
judged as (
  select
    *,
    case
      when terminated_at is not null and (last_use <= terminated_at) is distinct from false and (in_time or (seen is null and orphans = 0)) then ''
      when terminated_at is null then 'unknown-value'
      when not collected then 'system-not-collected'
      when seen is null then 'orphan-logins'
      when last_use > terminated_at then 'used-after-departure'
      when not enabled and closed_at is null and (last_enabled is null or last_enabled <= deadline) then 'time-unclear'
      when late_notice then 'late-notice'
      when enabled then 'still-enabled'
      else 'too-late'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' when reason in ('time-unclear', 'orphan-logins', 'system-not-collected') then 'review' else 'fail' end as result,
  reason,
  case
    when seen is null then 'no login of the person, ' || coalesce(orphans || ' login' || if(orphans = 1, ' that answers', 's that answer') || ' to nobody', 'no accounts known')
    else if(enabled, open_logins || ' enabled', logins || ' closed') || ' in the capture of ' || strftime(seen, '%Y-%m-%d %H:%M')
      || if(enabled, '', coalesce(', last seen enabled in that of ' || strftime(last_enabled, '%Y-%m-%d %H:%M'), '')) || coalesce(', closed at ' || strftime(closed_at, '%Y-%m-%d %H:%M') || ' as the source says', '')
      || coalesce(', last used ' || strftime(last_use, '%Y-%m-%d %H:%M') || if(last_use > terminated_at, ', after the departure', ''), '')
  end as observed,
  'closed by ' || coalesce(strftime(deadline, '%Y-%m-%d %H:%M'), 'an unknown time') || ' and not used after the departure' || coalesce(' of ' || strftime(terminated_at, '%Y-%m-%d %H:%M'), '') as expected
from judged
