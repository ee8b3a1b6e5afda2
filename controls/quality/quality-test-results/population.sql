select distinct r.source || '/' || coalesce(r.unique_id, 'unknown node') as item, r.source, 'node' as kind, r.unique_id
from dbt.run_results r
cross join params c
where list_contains(c.targets, r.target_name)
  and coalesce(r.command, 'build') in ('build', 'run', 'test', 'seed', 'snapshot', 'retry')
  and r.executed is distinct from false
  and (coalesce(r.resource_type, split_part(r.unique_id, '.', 1)) = 'test' and lower(r.status) = 'success') is not true
  and coalesce(r.generated_at >= c.night::timestamp - to_hours(c.fix_hours) and r.generated_at < c.night::timestamp + to_days(1) - to_hours(c.fix_hours), true)
union all
select distinct source || '/runs', source, 'runs', null from dbt.run_results
union all
select distinct source || '/tests', source, 'tests', null from dbt.run_results
