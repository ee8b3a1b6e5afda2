-- 0 good, 1 over the limit or failed, 2 loaded after the measurement, 3 not known
with measured as (
  select
    f.source, f.unique_id, f.snapshotted_at, f.age_seconds,
    case
      when f.status in ('pass', 'warn') and f.age_seconds <= p.limit_minutes * 60
        and f.max_loaded_at <= f.snapshotted_at + to_minutes(c.skew_minutes) then 0
      when f.status in ('pass', 'warn') and f.max_loaded_at > f.snapshotted_at then 2
      when f.status in ('error', 'runtime error', 'fail') or f.age_seconds > p.limit_minutes * 60 then 1
      else 3
    end as state
  from dbt.freshness f
  cross join params c
  join population p on p.source = f.source and p.unique_id = f.unique_id
),
followed as (
  select
    *,
    min(case when state = 0 then snapshotted_at end) over (
      partition by source, unique_id order by snapshotted_at range between interval 1 microsecond following and unbounded following
    ) as next_good
  from measured
),
counted as (
  select
    f.source, f.unique_id, count(*) as measurements, max(f.age_seconds) as oldest, count(*) filter (where f.state > 0) as bad,
    max(case when f.state = 1 and f.next_good <= f.snapshotted_at + to_hours(c.breach_hours) then 0 else f.state end) as worst
  from followed f
  cross join params c
  group by all
),
judged as (
  select
    p.item, p.limit_minutes, n.measurements, n.oldest, n.bad, x.unique_id is not null as once_exempt,
    case
      when e.unique_id is not null then ''
      when p.limit_minutes > 0 and n.worst = 0 then ''
      when p.limit_minutes is null and x.unique_id is not null then 'exemption-expired'
      when coalesce(p.limit_minutes, 0) <= 0 then 'no-criteria'
      when n.measurements is null then 'not-measured'
      when n.worst = 1 then 'source-stale'
      when n.worst = 2 then 'loaded-in-future'
      else 'unknown-value'
    end as reason,
    e.unique_id is not null as exempt
  from population p
  left join counted n on n.source = p.source and n.unique_id = p.unique_id
  left join (select distinct unique_id from register.freshness_exemptions) e on e.unique_id = p.unique_id
  left join (select distinct unique_id from register_expired.freshness_exemptions) x on x.unique_id = p.unique_id
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when exempt then 'exempt by the register'
    else case when limit_minutes is null then 'no error limit' || if(once_exempt, ', its exemption has run out', '') || '; ' else '' end
      || case when measurements is null then 'no measurement' else measurements || ' measurement' || if(measurements = 1, '', 's') || if(bad > 0, ', ' || bad || ' not good', '') || coalesce(', data up to ' || format('{:,}', (oldest + 59)::bigint // 60) || ' minute' || if((oldest + 59)::bigint // 60 = 1, '', 's') || ' old', '') end
  end as observed,
  coalesce('measured, not older than ' || format('{:,}', limit_minutes) || ' minute' || if(limit_minutes = 1, '', 's'), 'an error limit, and measurements within it') as expected
from judged
