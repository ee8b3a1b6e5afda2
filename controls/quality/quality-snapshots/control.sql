with nodes as (
  select source, unique_id, upper(database) as database, upper(schema) as schema, upper(coalesce(alias, name)) as object, lower(strategy) as strategy, updated_at, lower(hard_deletes) as hard_deletes,
    list_sort(list_transform(unique_key, lambda k: lower(k))) as unique_key
  from dbt.nodes
  where resource_type = 'snapshot' and enabled
),
successes as (
  select r.source, r.unique_id, max(r.generated_at) as last_success
  from dbt.run_results r
  cross join params c
  where r.status = 'success' and r.executed and list_contains(c.targets, r.target_name)
  group by all
),
tests as (
  select t.source, t.attached_node, bool_or(list_contains(c.current_tests, t.test_name)) as current_row, bool_or(list_contains(c.overlap_tests, t.test_name)) as overlap
  from dbt.tests t
  cross join params c
  where t.enabled and lower(t.severity) = 'error'
  group by all
),
kept as (
  select
    n.source, n.unique_id,
    bool_and(upper(t.is_transient) = 'NO' and t.retention_time >= c.min_retention_days) as kept,
    count(t.table_name) as tables, bool_or(upper(t.is_transient) <> 'NO') as transient, min(t.retention_time) as retention,
    bool_or(t.table_name is not null and (t.is_transient is null or t.retention_time is null)) as silent
  from nodes n
  cross join params c
  left join snowflake.tables t on t.deleted is null and upper(t.table_catalog) = n.database and upper(t.table_schema) = n.schema and upper(t.table_name) = n.object
  group by all
),
judged as (
  select
    p.item, p.snapshot, p.business_key, n.unique_id, n.unique_key, n.strategy, n.updated_at, n.hard_deletes, s.last_success, t.current_row, t.overlap, k.tables, k.transient, k.retention, c.max_age_hours, c.min_retention_days,
    case
      when n.unique_key = list_sort(list_transform(p.business_key, lambda k: lower(k))) and (n.strategy = 'check' or (n.strategy = 'timestamp' and n.updated_at <> ''))
        and n.hard_deletes in ('invalidate', 'new_record') and s.last_success >= c.as_of - to_hours(c.max_age_hours) and t.current_row and t.overlap and k.kept and not k.silent then ''
      when p.business_key is null then 'not-registered'
      when n.unique_id is null then 'no-snapshot'
      when n.unique_key is null or n.strategy is null or n.hard_deletes is null or k.silent then 'unknown-value'
      when n.unique_key <> list_sort(list_transform(p.business_key, lambda k: lower(k))) then 'other-key'
      when n.strategy not in ('check', 'timestamp') or (n.strategy = 'timestamp' and coalesce(n.updated_at, '') = '') then 'weak-strategy'
      when n.hard_deletes not in ('invalidate', 'new_record') then 'deletes-ignored'
      when coalesce(s.last_success < c.as_of - to_hours(c.max_age_hours), true) then 'not-run'
      when t.current_row is not true then 'current-row-untested'
      when not t.overlap then 'overlap-untested'
      else 'table-not-kept'
    end as reason
  from population p
  cross join params c
  left join nodes n on n.source = p.source and n.unique_id = p.snapshot
  left join successes s on s.source = p.source and s.unique_id = p.snapshot
  left join tests t on t.source = p.source and t.attached_node = p.snapshot
  left join kept k on k.source = p.source and k.unique_id = p.snapshot
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  concat_ws('; ',
    snapshot || if(business_key is null, ', not on the register', ''),
    case when unique_id is null then 'no enabled dbt snapshot' end,
    case
      when unique_id is null then null
      when unique_key is null then 'its key not known'
      when unique_key <> list_sort(list_transform(business_key, lambda k: lower(k))) then 'key ' || array_to_string(unique_key, ', ') || ', registered ' || array_to_string(business_key, ', ')
    end,
    case when unique_id is not null then 'strategy ' || coalesce(strategy, 'not known') || if(strategy = 'timestamp' and coalesce(updated_at, '') = '', ' without a column', '') end,
    case when unique_id is null then null when hard_deletes in ('invalidate', 'new_record') then null else 'deleted records: ' || coalesce(hard_deletes, 'not known') end,
    'last success ' || coalesce(strftime(last_success, '%Y-%m-%d %H:%M'), 'not seen'),
    case when current_row then null else 'no error test of one current row per key' end,
    case when overlap then null else 'no error test of overlaps' end,
    case
      when tables = 0 then 'its table not in the warehouse'
      when transient then 'its table is transient'
      when retention < min_retention_days then 'Time Travel of ' || retention || ' day' || if(retention = 1, '', 's')
      when tables > 0 and (transient is null or retention is null) then 'kind or Time Travel of its table not known'
    end
  ) as observed,
  'the registered key, a sound strategy that closes deleted records, both tests, a table that is kept, and a success within ' || max_age_hours || ' hour' || if(max_age_hours = 1, '', 's') as expected
from judged
