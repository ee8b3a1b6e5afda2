with months as (
  select
    p.item,
    exists (
      select 1 from records.incidents i
      where date_trunc('month', i.opened_at)::date = p.first_day and lower(i.status) <> 'cancelled'
    ) as occurred,
    exists (
      select 1
      from register.attestations a
      join (select * from register.reviewers union all select * from register_expired.reviewers) r
        on r.person = a.signed_by and list_contains(r.may_sign, 'no_incidents') and r.approved_on <= a.recorded_on and r.expires > a.recorded_on
      where a.requirement = 'no_incidents' and a.period_start <= p.first_day and a.period_end >= last_day(p.first_day)
        and a.recorded_on > a.period_end and a.recorded_on <= c.night
    ) as signed
  from population p
  cross join params c
),
judged as (
  select
    p.*, m.occurred, c.contain_hours, c.close_days,
    p.severity in ('critical', 'high', 'medium', 'low', 'info') as known,
    p.lessons is not null or not list_contains(c.lessons_for, p.severity) as learnt,
    coalesce(list_contains(c.lessons_for, p.severity), true) as must_learn,
    p.status in ('resolved', 'closed') as finished,
    p.status in ('open', 'in_progress', 'contained') as going_on,
    p.contained_at <= p.since + to_hours(c.contain_hours) as contained_in_time,
    p.since + to_hours(c.contain_hours) > c.as_of as containing,
    p.since + to_days(c.close_days::integer) > c.as_of as closing,
    m.occurred or m.signed as shown
  from population p
  cross join params c
  left join months m on m.item = p.item
),
reasoned as (
  select
    *,
    case
      when shown then ''
      when known and finished and finished_at is not null and contained_in_time and learnt then ''
      when known and going_on and closing and (contained_in_time or containing) then ''
      when known and status = 'cancelled' and learnt then ''
      when kind = 'month' then 'none-not-signed'
      when known is distinct from true or since is null then 'unknown-value'
      when status = 'cancelled' then 'no-lessons'
      when contained_at is null then 'not-contained'
      when not contained_in_time then 'contained-late'
      when finished and finished_at is null then 'no-closure'
      when finished then 'no-lessons'
      when going_on then 'not-closed'
      else 'unknown-value'
    end as reason
  from judged
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when kind = 'month' then case when occurred then 'incidents opened' when reason = '' then 'none, signed' else 'none opened, not signed' end
    else coalesce(severity, 'unknown severity') || ', ' || coalesce(replace(status, '_', ' '), 'unknown status') || ', detected ' || coalesce(strftime(since, '%Y-%m-%d'), 'at an unknown time')
      || coalesce(', contained ' || strftime(contained_at, '%Y-%m-%d'), ', not contained') || coalesce(', finished ' || strftime(finished_at, '%Y-%m-%d'), if(finished, ', no time of the end', '')) || if(learnt, '', ', no lessons written')
  end as observed,
  case when kind = 'month' then 'an incident opened, or a signed statement of none'
    else 'contained within ' || contain_hours || ' hour' || if(contain_hours = 1, '', 's') || ', closed within ' || close_days || ' day' || if(close_days = 1, '', 's') || if(must_learn, ', lessons written', '') end as expected
from reasoned
