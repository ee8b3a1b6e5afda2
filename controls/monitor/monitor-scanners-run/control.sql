with runs as (
  select kind, tool, target, started_at, conclusion = 'success' and completed_at is not null as well from records.scanner_runs
  union all
  select 'trust_center', 'trust_center', scanner_package_id, start_timestamp, upper(completion_status) = 'SUCCEEDED' and end_timestamp is not null
  from snowflake.trust_center_results
),
judged as (
  select
    p.item, p.tool, p.every_days, max(r.started_at) filter (where r.well) as last_well, max(r.started_at) as last_run,
    exists (select 1 from register.scanners s where s.kind = p.kind) as registered,
    c.as_of - to_days(p.every_days::integer) as since
  from population p
  cross join params c
  left join runs r on r.kind = p.kind and r.tool = p.tool and r.target = p.target and r.started_at < c.as_of
  group by all
),
reasoned as (
  select
    *,
    case
      when tool is null then case when registered then '' else 'kind-missing' end
      when every_days not between 1 and 8 then 'schedule-too-long'
      when last_well >= since then ''
      when last_run >= since then 'run-failed'
      else 'not-run'
    end as reason
  from judged
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when tool is null then case when registered then 'registered' else 'none registered' end
    else coalesce('last good run ' || strftime(last_well, '%Y-%m-%d %H:%M'), 'no good run in the nights looked at') end as observed,
  coalesce('a good run in the last ' || if(every_days = 1, '24 hours', every_days || ' days'), 'at least one scan registered') as expected
from reasoned
