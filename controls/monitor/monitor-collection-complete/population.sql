select
  r.source || '/' || r.dataset as item, r.status, r.landed,
  r.totals_agree and r.quarantined = 0 as whole,
  r.kind = 'event' or (r.captured_at >= r.night + 1 and r.captured_at < r.night + 2) as on_time,
  r.landed = 0 and list_contains(c.never_empty, r.dataset) as hollow
from ops.receipts r
cross join params c
