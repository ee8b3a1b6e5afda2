with wanted as (
  select unnest(datasets) as dataset, night, retention_years from params
)
select
  m.source || '/' || m.dataset || ' ' || strftime(m.month, '%Y-%m') as item,
  m.expected, m.sealed, m.complete, m.read_back, m.days_before
from ops.checks m
join wanted w on w.dataset = m.dataset
where m.month >= w.night - to_years(w.retention_years::integer) and last_day(m.month) < w.night
union all
select 'log/' || w.dataset, 0, null, null, null, null
from wanted w
where w.dataset not in (select c.dataset from ops.checks c where c.dataset is not null)
