-- one file states a product, so there is one row per product and night; were there two, the night would not be assessed
with stated as (
  select r.source, r.product, r.night = c.night as is_now, r.version, r.file_commit_sha as sha, r.retention_policy, r.deprecation ->> '$.sunset' as sunset
  from contracts.products r
  cross join params c
  group by all
),
products as (
  select distinct source, product from stated
)
select
  p.source || '/' || p.product as item, p.source, p.product, n.product is not null as is_now, o.product is not null as was,
  exists (select 1 from stated x where x.source = p.source and not x.is_now) as comparable,
  n.version, o.version as old_version, n.sha, n.sunset is not null and try_cast(n.sunset as date) is null as unclear,
  try_cast(n.sunset as date) as sunset, try_cast(o.sunset as date) as old_sunset, n.retention_policy is distinct from o.retention_policy as retention_changed
from products p
left join stated n on n.source = p.source and n.product = p.product and n.is_now
left join stated o on o.source = p.source and o.product = p.product and not o.is_now
