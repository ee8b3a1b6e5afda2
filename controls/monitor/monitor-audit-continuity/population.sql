-- a source that was never asked for one of the datasets is an item too
with wanted as (
  select distinct r.source, d.dataset
  from ops.receipts r
  cross join params c
  cross join unnest(c.required) d(dataset)
)
select
  w.source || '/' || w.dataset as item, r.dataset is not null as collected, coalesce(r.status, 'unknown') as status, r.landed,
  w.dataset = 'snowflake.access_history' and lower(r.edition) = 'standard' as excused,
  r.totals_agree and r.quarantined = 0 as whole,
  r.kind = 'state' or r.collected_at >= r.due_at as ripe,
  r.landed > 0 or (r.landed = 0 and r.kind = 'event' and r.empty_word = 'nothing' and r.empty_ground <> '') as grounded
from wanted w
left join ops.receipts r on r.source = w.source and r.dataset = w.dataset
