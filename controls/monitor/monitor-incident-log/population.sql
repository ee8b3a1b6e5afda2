-- The contract's key is system and id; a row whose opening is not known stays in.
select
  i.source || '/' || i.system || ' ' || i.id as item, 'incident' as kind, null::date as first_day,
  lower(i.severity) as severity, lower(i.status) as status, i.opened_at, case when i.detected_at < i.opened_at then i.detected_at else i.opened_at end as since,
  i.contained_at, coalesce(i.closed_at, i.resolved_at) as finished_at, i.lessons
from records.incidents i
cross join params c
where coalesce(coalesce(i.closed_at, i.resolved_at) > c.as_of - to_days(c.keep_days::integer), true)
union all
select 'register/month ' || strftime(m.last_month, '%Y-%m'), 'month', m.last_month, null, null, null, null, null, null, null
from (select (date_trunc('month', as_of - to_days(sign_days::integer)) - interval 1 month)::date as last_month from params) m
