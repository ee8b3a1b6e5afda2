-- that nothing was recorded at all is an item too
select distinct 'log/' || part || case when name <> '' then ' ' || name else '' end as item, part, coalesce(name, '') as name
from ops.pipeline
where state is distinct from 'absent'
union all
select 'log/run', 'run', ''
where not exists (select 1 from ops.pipeline where part = 'run')
