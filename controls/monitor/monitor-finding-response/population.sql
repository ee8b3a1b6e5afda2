-- what waits for review, or did until its time was up, is one item
select
  control || '/' || item || '/' || reason as item, control, item as what, severity, bool_or(kind = 'exception') as exception,
  min(first_seen) as first_seen, min(standing_since) as standing_since, max(last_seen) as last_seen, sum(nights)::bigint as nights, bool_and(waived) as waived
from ops.items
where "open"
group by control, item, reason, severity
