with leaned_on as (
  select distinct e.id
  from register_expired.waivers e
  join ops.items i on i.control = e.control and list_contains(e.items, i.item) and i.open
  left join register.waivers w on w.control = e.control and list_contains(w.items, i.item)
  where w.id is null
)
select id as item, control, control_version, items, compensating_control, requested_by, approved_by, approved_on, expires, true as live
from register.waivers
union all
select id, control, control_version, items, compensating_control, requested_by, approved_by, approved_on, expires, false
from register_expired.waivers
where id in (select id from leaned_on) and id not in (select id from register.waivers)
qualify row_number() over (partition by id order by expires desc) = 1
