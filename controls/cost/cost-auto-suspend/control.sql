with looked_at as (
  select
    p.item, p.auto_suspend, p.auto_resume, p.max_cluster_count, c.max_statement_seconds, c.max_clusters,
    case when list_contains(c.batch_warehouses, p.name) then c.batch_idle_seconds else c.max_idle_seconds end as max_idle,
    try_cast(w.value as bigint) as timeout
  from population p
  cross join params c
  left join snowflake.warehouse_parameters w on w.source = p.source and w.warehouse_name = p.name and w.key = 'STATEMENT_TIMEOUT_IN_SECONDS'
),
judged as (
  select
    *,
    case
      when auto_suspend between 1 and max_idle and auto_resume = 'true' and timeout between 1 and max_statement_seconds and max_cluster_count <= max_clusters then ''
      when coalesce(auto_suspend, 0) <= 0 then 'never-suspends'
      when auto_suspend > max_idle then 'idle-long'
      when auto_resume = 'false' then 'no-resume'
      when timeout <= 0 or timeout > max_statement_seconds then 'no-timeout'
      when max_cluster_count > max_clusters then 'many-clusters'
      else 'unknown-value'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  'suspends after ' || coalesce(auto_suspend || ' s', 'no time') || case auto_resume when 'true' then ', resumes' when 'false' then ', does not resume' else ', not known whether it resumes' end || ', statements up to ' || coalesce(timeout || ' s', 'no known time') || ', clusters ' || coalesce(max_cluster_count::text, 'not known') as observed,
  'suspends within ' || max_idle || ' s, resumes, statements up to ' || max_statement_seconds || ' s, at most ' || max_clusters || ' cluster' || if(max_clusters = 1, '', 's') as expected
from judged
