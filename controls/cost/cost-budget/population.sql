with capped as (
  select distinct product, json_extract_string(cost, '$.tags.domain') as domain, json_extract_string(cost, '$.monthly_cap_usd') as cap
  from contracts.products
)
select source || '/warehouse ' || name as item, source, name as warehouse, null as domain, null::decimal(18, 2) as cap
from snowflake.warehouses
where not starts_with(name, 'SYSTEM$')
union all
select 'domain ' || coalesce(domain, '?'), null, null, domain, case when count(product) = count(try_cast(cap as decimal(18, 2))) then sum(try_cast(cap as decimal(18, 2))) end
from capped
where cap is not null
group by domain
