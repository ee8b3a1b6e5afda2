with events as (
  select
    source || '/load ' || concat_ws('.', table_catalog_name, table_schema_name, coalesce(table_name, table_id::varchar)) as item,
    concat_ws(' ', table_id, stage_location, file_name) as what, last_load_time as ended_at,
    lower(status) = 'loaded' and error_count = 0 as good, lower(status) = 'loaded' and error_count = 0 as mends, status is null or error_count is null as unclear, 1 as rank
  from snowflake.copy_history
  union all
  select source || '/task ' || concat_ws('.', database_name, schema_name, name), '', completed_time, upper(state) in ('SUCCEEDED', 'SKIPPED'), upper(state) = 'SUCCEEDED', state is null, 2 from snowflake.task_history
  union all
  select source || '/refresh ' || concat_ws('.', database_name, schema_name, coalesce(name, id::varchar)), '', refresh_end_time, upper(state) = 'SUCCEEDED', upper(state) = 'SUCCEEDED', state is null, 3
  from snowflake.dynamic_table_refresh_history
),
-- what came out well later, of the same file, task or dynamic table
followed as (
  select
    *,
    min(case when mends then ended_at end) over (
      partition by item, what order by ended_at range between interval 1 microsecond following and unbounded following
    ) as next_good
  from events
),
states as (
  select
    f.item,
    case when f.ended_at is null or f.unclear then 9 when f.good then 0 when f.next_good <= f.ended_at + to_hours(c.redrive_hours) then 0 else f.rank end as rank,
    null as said
  from followed f
  cross join params c
  where coalesce(f.ended_at >= c.night::timestamp - to_hours(c.redrive_hours) and f.ended_at < c.night::timestamp + to_hours(24 - c.redrive_hours), true)
  union all
  select
    t.source || '/task ' || concat_ws('.', t.database_name, t.schema_name, t.name),
    case when lower(t.state) = 'started' then 0 when t.state is null then 9 when list_contains(c.intended_suspensions, t.last_suspended_reason) then 0 else 4 end,
    case when t.state is null then 'state not known' else coalesce('suspended: ' || regexp_replace(replace(lower(t.last_suspended_reason), '_', ' '), '^suspended ', ''), 'suspended, no reason on record') end
  from snowflake.tasks t
  cross join params c
  union all
  select source || '/pipe ' || concat_ws('.', database_name, schema_name, name), case when coalesce(trim(invalid_reason), '') = '' then 0 else 5 end, 'the service calls it invalid' from snowflake.pipes
  union all
  select
    q.source || '/queue ' || concat_ws(' ', q.system, q.queue),
    case
      when q.messages = 0 then 0
      when q.messages is null or q.oldest_at is null then 9
      when q.oldest_at >= c.night::timestamp + to_hours(24 - c.dlq_hours) then 0
      else 6
    end,
    format('{:,}', q.messages) || ' message' || if(q.messages = 1, '', 's') || ', the oldest of ' || coalesce(strftime(q.oldest_at, '%Y-%m-%d %H:%M'), 'an unknown time')
  from records.dlq q
  cross join params c
),
worst as (
  select item, max(rank) as rank, count(*) as looked_at, count(case when rank > 0 then 1 end) as bad, string_agg(distinct said, '; ' order by said) filter (where rank > 0) as said from states group by item
)
select
  p.item,
  case when w.rank = 0 then 'pass' else 'fail' end as result,
  case w.rank
    when 0 then '' when 1 then 'load-failed' when 2 then 'task-failed' when 3 then 'refresh-failed' when 4 then 'task-suspended' when 5 then 'pipe-broken' when 6 then 'queue-old'
    else 'unknown-value'
  end as reason,
  case
    when w.looked_at is null then 'nothing to look at'
    when w.looked_at = 1 and w.said is not null then w.said
    else case when w.rank > 0 then format('{:,}', w.bad) || ' of ' else '' end || format('{:,}', w.looked_at)
      || case regexp_extract(p.item, '/(\w+) ', 1) when 'load' then if(w.looked_at = 1, ' load', ' loads') when 'task' then if(w.looked_at = 1, ' run or state', ' runs and states') when 'refresh' then if(w.looked_at = 1, ' refresh', ' refreshes') else if(w.looked_at = 1, ' state', ' states') end
      || case when w.rank > 0 then ' not good' else ', good' end || coalesce('; ' || w.said, '')
  end as observed,
  'good, or repaired in time' as expected
from population p
left join worst w on w.item = p.item
