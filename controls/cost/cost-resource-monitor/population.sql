-- SHOW WAREHOUSES writes the word null where there is no monitor
with account_monitors as (
  select source, name from snowflake.resource_monitors_show where upper(level) = 'ACCOUNT'
)
select
  w.source || '/warehouse ' || w.name as item, w.source,
  case
    when lower(w.resource_monitor) <> 'null' then w.resource_monitor
    when w.resource_monitor is not null and (not c.require_warehouse_level or list_contains(c.shared_warehouses, w.name)) then a.name
  end as monitor,
  w.resource_monitor is not null as known
from snowflake.warehouses w
cross join params c
left join account_monitors a on a.source = w.source
where not starts_with(w.name, 'SYSTEM$')
union all
select distinct w.source || '/account', w.source, a.name, true
from snowflake.warehouses w
join params c on c.require_account_level
left join account_monitors a on a.source = w.source
