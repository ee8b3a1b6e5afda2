select 'log/' || step as item, step, true as made, proved, failed, days_before, checked_at
from ops.checks
where step is not null
union all
select 'log/' || r.step, r.step, false, 0, 0, (select max(days_before) from ops.checks), (select max(checked_at) from ops.checks)
from (select unnest(required_steps) as step from params) r
where r.step not in (select c.step from ops.checks c where c.step is not null)
