-- one file states a product, so there is one row per product and night; were there two, the night would not be assessed
with stated as (
  select r.source, r.product, r.night = c.night as is_now, r.version, r.file_commit_sha as sha, r.retention_policy, r.deprecation ->> '$.sunset' as sunset
  from contracts.products r
  cross join params c
  group by all
)
select
  coalesce(n.source, o.source) || '/' || coalesce(n.product, o.product) as item, coalesce(n.source, o.source) as source, coalesce(n.product, o.product) as product,
  n.product is not null as is_now, o.product is not null as was,
  exists (select 1 from stated x where x.source = coalesce(n.source, o.source) and not x.is_now) as comparable,
  n.version, o.version as old_version, n.sha, n.sunset is not null and try_cast(n.sunset as date) is null as unclear,
  try_cast(n.sunset as date) as sunset, try_cast(o.sunset as date) as old_sunset, n.retention_policy is distinct from o.retention_policy as retention_changed
from (select * from stated where is_now) n
full join (select * from stated where not is_now) o on o.source = n.source and o.product = n.product
