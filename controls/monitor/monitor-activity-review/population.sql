-- Intervals are counted from a Monday, so that weeks begin on one.
select
  'register/' || v.system || '/' || t.record_type || '/' || strftime(i.first_day, '%Y-%m-%d') as item,
  v.system, t.record_type, i.first_day, i.first_day + c.interval_days::integer as closed
from fact.vendor_systems v
cross join params c
cross join unnest(c.record_types) as t(record_type)
cross join (
  select date '2024-01-01' + (((p.as_of::date - date '2024-01-01' - p.review_days) // p.interval_days - n.back) * p.interval_days)::integer as first_day
  from params p
  cross join generate_series(1, p.keep_intervals) as n(back)
) i
where v.holds_phi and not list_contains(v.keeps_no, t.record_type) and i.first_day + c.interval_days::integer > v.since
