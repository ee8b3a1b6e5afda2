-- what is loaded and not built, dbt cannot enforce anything on; a schema that no zone names counts as published
select
  p.source || '/' || p.database_name || '.' || p.schema_name || '.' || p.object_name as item, p.source, p.database_name, p.schema_name, p.object_name
from contracts.products p
cross join params c
left join register.zones o on o.database = p.database_name and o.schema = p.schema_name
left join register.zones a on a.database = p.database_name and a.schema = '*'
where p.interface in ('table', 'view') and not list_contains(c.loaded_zones, coalesce(o.zone, a.zone, ''))
group by all
