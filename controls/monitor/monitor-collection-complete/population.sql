select
  r.source || '/' || r.dataset as item, r.status, r.landed, nullif(r.quarantined, 0) as quarantined, r.source_rows, r.landed + r.quarantined as arrived, r.reason as why,
  case when r.kind = 'state' then r.captured_at end as captured_at,
  r.totals_agree and r.quarantined = 0 as whole,
  r.kind = 'event' or (r.captured_at >= r.night + 1 and r.captured_at < r.night + 2) as on_time,
  r.landed = 0 and list_contains(c.never_empty, r.dataset) as hollow
from ops.receipts r
cross join params c
