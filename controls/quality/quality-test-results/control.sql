-- what really ran: docs, compile and show write results too, with success also for tests, which pass, warn or fail when they run;
-- a build with --empty or --sample is marked as not executed: what passes over no rows has not been tested
with results as (
  select
    r.source, r.night, r.invocation_id, r.unique_id, coalesce(r.resource_type, split_part(r.unique_id, '.', 1)) as resource_type,
    lower(r.status) as status, r.target_name, r.generated_at
  from dbt.run_results r
  where coalesce(r.command, 'build') in ('build', 'run', 'test', 'seed', 'snapshot', 'retry')
    and r.executed is distinct from false
    and (coalesce(r.resource_type, split_part(r.unique_id, '.', 1)) = 'test' and lower(r.status) = 'success') is not true
),
production as (
  select r.source, r.target_name, r.unique_id, r.status, r.generated_at,
    r.status in ('success', 'pass', 'warn') as good,
    coalesce(r.generated_at >= c.night::timestamp - to_hours(c.fix_hours) and r.generated_at < c.night::timestamp + to_days(1) - to_hours(c.fix_hours), true) as due
  from results r
  cross join params c
  where list_contains(c.targets, r.target_name)
),
-- the next good result of the node after each result, in the same target
followed as (
  select
    *,
    min(case when good then generated_at end) over (
      partition by source, target_name, unique_id order by generated_at range between interval 1 microsecond following and unbounded following
    ) as next_good
  from production
),
nodes as (
  select
    f.source, f.unique_id,
    -- 0 good or fixed in time, 1 skipped, 2 failed, 3 not known
    max(case
      when f.good then 0
      when f.next_good <= f.generated_at + to_hours(c.fix_hours) then 0
      when f.status is null or f.generated_at is null then 3
      when f.status = 'skipped' then 1
      else 2
    end) as worst,
    count(*) filter (where f.good is distinct from true) as failures,
    min(case when not f.good then f.status end) as status
  from followed f
  cross join params c
  where f.due
  group by all
),
nightly as (
  select
    s.source,
    count(distinct case when list_contains(c.targets, r.target_name) and r.night = c.night then r.invocation_id end) as runs,
    count(distinct case when r.target_name is null and r.night = c.night then coalesce(r.invocation_id, '?') end) as without_target,
    count(distinct case when list_contains(c.targets, r.target_name) and r.night = c.night and r.resource_type = 'test' then r.unique_id end) as tests,
    count(distinct case when list_contains(c.targets, r.target_name) and r.night < c.night and r.resource_type = 'test' then r.unique_id end) as tests_before
  from (select distinct source from dbt.run_results) s
  cross join params c
  left join results r on r.source = s.source
  group by all
),
judged as (
  select
    p.item, p.kind, n.failures, n.status, g.runs, g.without_target, g.tests, g.tests_before, c.fix_hours, c.min_runs, c.drop_pct,
    case p.kind
      when 'node' then case
        when n.worst = 0 then ''
        when n.worst = 1 then 'node-skipped'
        when n.worst = 2 then 'node-failed'
        else 'unknown-value'
      end
      when 'runs' then case when g.runs >= c.min_runs and g.without_target = 0 then '' when g.without_target > 0 then 'unknown-value' else 'run-missing' end
      else case when g.tests * 100 >= g.tests_before * (100 - c.drop_pct) then '' else 'tests-dropped' end
    end as reason
  from population p
  cross join params c
  left join nodes n on n.source = p.source and n.unique_id = p.unique_id
  left join nightly g on g.source = p.source
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case kind
    when 'node' then coalesce(failures || ' result' || if(failures = 1, '', 's') || ' not good' || coalesce(', ' || status, ''), 'results of no node')
    when 'runs' then runs || ' production run' || if(runs = 1, '', 's') || case when without_target > 0 then ', ' || without_target || ' run' || if(without_target = 1, '', 's') || ' without a target' else '' end
    else tests || ' distinct test' || if(tests = 1, '', 's') || ', ' || tests_before || ' the night before'
  end as observed,
  case kind
    when 'node' then 'good, or good again within ' || fix_hours || ' hour' || if(fix_hours = 1, '', 's')
    when 'runs' then 'at least ' || min_runs || ' production run' || if(min_runs = 1, '', 's') || ', each with a target'
    else 'at most ' || drop_pct || ' percent fewer'
  end as expected
from judged
