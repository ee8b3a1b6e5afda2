select
  r.source || '/' || r.product as item, r.source, r.product, bool_or(r.night = c.night) as is_now, bool_or(r.night < c.night) as was,
  bool_or(exists (select 1 from contracts.products o where o.source = r.source and o.night < c.night)) as comparable,
  max(case when r.night = c.night then r.version end) as version, max(case when r.night < c.night then r.version end) as old_version,
  max(case when r.night = c.night then r.file_commit_sha end) as sha,
  bool_or(r.night = c.night and r.deprecation ->> '$.sunset' is not null and try_cast(r.deprecation ->> '$.sunset' as date) is null) as unclear,
  max(case when r.night = c.night then try_cast(r.deprecation ->> '$.sunset' as date) end) as sunset,
  max(case when r.night < c.night then try_cast(r.deprecation ->> '$.sunset' as date) end) as old_sunset,
  max(case when r.night = c.night then r.retention_policy end) is distinct from max(case when r.night < c.night then r.retention_policy end) as retention_changed
from contracts.products r
cross join params c
group by r.source, r.product
