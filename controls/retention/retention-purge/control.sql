with results as (
  select r.source, r.unique_id, lower(r.status) as status, r.generated_at,
    row_number() over (partition by r.source, r.unique_id order by r.generated_at desc, lower(r.status) = 'pass') as rank
  from dbt.run_results r
  where r.executed is distinct from false
),
checks as (
  select
    p.item, count(*) as tests, count(*) filter (where r.generated_at >= c.as_of - to_days(c.cadence_days::integer)) as ran, count(*) filter (where r.status = 'pass') as passed, count(r.status) as known
  from population p
  cross join params c
  join dbt.nodes n on upper(n.database) = upper(p.database_name) and upper(n.schema) = upper(p.schema_name) and upper(coalesce(n.alias, n.name)) = upper(p.object_name)
  join dbt.tests t on t.source = n.source and t.attached_node = n.unique_id and t.enabled is distinct from false
    and len(list_filter(t.tags, lambda tag: list_contains(c.retention_tags, tag))) > 0
  left join results r on r.source = t.source and r.unique_id = t.unique_id and r.rank = 1
  group by all
),
-- a report without an oldest object is of an empty prefix only if it says so by its time; it is not known here
reports as (
  select p.item, count(*) as reports, case when count(*) = count(i.oldest_object_at) then min(i.oldest_object_at) end as oldest
  from population p
  cross join params c
  join aws.s3_inventory i on i.bucket = p.bucket and (i.filter_prefix = 'unset' or starts_with(p.prefix, i.filter_prefix)) and i.report_at >= c.as_of - to_days(c.report_days::integer)
  group by all
),
judged as (
  select
    p.item, p.kind, p.due_at, p.closed_at, p.status, i.reports, k.tests, k.ran, k.passed, i.oldest, p.keep_most, p.keep_most + c.grace_days as limit_days, c.cadence_days,
    case p.kind
      when 'table' then case
        when p.keep_most is not null and k.ran = k.tests and k.passed = k.tests then ''
        when p.keep_most is null then 'unknown-value'
        when k.tests is null then 'no-retention-test'
        when k.ran < k.tests then 'test-not-run'
        when k.known < k.tests then 'unknown-value'
        else 'rows-too-old'
      end
      when 'bucket' then case
        when i.oldest >= c.as_of - to_days((p.keep_most + c.grace_days)::integer) then ''
        when i.reports is null then 'no-report'
        when i.oldest < c.as_of - to_days((p.keep_most + c.grace_days)::integer) then 'files-too-old'
        else 'unknown-value'
      end
      when 'request' then case
        when p.due_at >= coalesce(p.closed_at, c.as_of) or p.status = 'cancelled' then ''
        when p.due_at < coalesce(p.closed_at, c.as_of) then 'request-overdue'
        else 'unknown-value'
      end
    end as reason
  from population p
  cross join params c
  left join checks k on k.item = p.item
  left join reports i on i.item = p.item
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case kind
    when 'table' then coalesce(passed || ' of ' || tests || ' retention test' || if(tests = 1, '', 's') || ' passed, ' || ran || ' within the cadence', 'no retention test')
    when 'bucket' then case when reports is null then 'no young report' else 'oldest object ' || coalesce(strftime(oldest, '%Y-%m-%d'), 'not known') end
    else 'due ' || coalesce(strftime(due_at, '%Y-%m-%d'), 'on an unknown day') || case when status = 'cancelled' then ', cancelled' else coalesce(', closed ' || strftime(closed_at, '%Y-%m-%d'), ', not closed') end
  end as observed,
  case kind
    when 'table' then 'each retention test passed within ' || cadence_days || ' day' || if(cadence_days = 1, '', 's')
    when 'bucket' then 'nothing older than ' || coalesce(format('{:,}', limit_days) || ' day' || if(limit_days = 1, '', 's'), 'a stated number of days')
    else 'closed by its due date'
  end as expected
from judged
