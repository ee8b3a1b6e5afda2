-- a waiver that ran out is an item of its own while something it names still fails and no other one covers that
select id as item, control, control_version, items, compensating_control, requested_by, approved_by, approved_on, expires, recorded_at, true as live
from register.waivers
union all
select id || ' (run out)', control, control_version, items, compensating_control, requested_by, approved_by, approved_on, expires, recorded_at, false
from (
  select distinct e.*
  from register_expired.waivers e
  join ops.items i on i.control = e.control and list_contains(e.items, i.item) and i."open"
  left join register.waivers w on w.control = e.control and list_contains(w.items, i.item)
  where w.id is null
)
qualify row_number() over (partition by id order by expires desc) = 1
