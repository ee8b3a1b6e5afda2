-- An integration whose category or state is not known counts as outbound and in use.
with outbound as (
  select source, name, upper(category) as category
  from snowflake.integrations
  where coalesce(upper(category), '?') not in ('SECURITY', 'STORAGE') and lower(enabled) is distinct from 'false'
),
targets as (
  select source, integration_name, unnest(regexp_extract_all(property_value, '[^\s,\[\]()''"]+')) as target
  from snowflake.integrations_desc
  where upper(property) in ('API_ALLOWED_PREFIXES', 'WEBHOOK_URL', 'CATALOG_URI')
),
rules as (
  select
    source, coalesce(database_name, '?') || '.' || coalesce(schema_name, '?') || '.' || coalesce(name, '?') as rule,
    unnest(case when value_list is null then [null] else regexp_extract_all(value_list, '[^\s,\[\]()''"]+') end) as entry
  from snowflake.network_rules
  where deleted is null and coalesce(upper(mode), 'EGRESS') = 'EGRESS'
)
select distinct source || '/rule ' || rule || ' to ' || coalesce(entry, '?') as item, source, 'rule' as kind, null as integration, entry as target, lower(regexp_replace(entry, ':\d+$', '')) as host from rules
union all
select distinct
  o.source || '/' || coalesce(o.name, '?') || coalesce(' to ' || t.target, ''), o.source, 'integration', o.name, t.target,
  lower(regexp_extract(t.target, '^(?:[a-z0-9+.-]+://)?([^/:?#]+)', 1, 'i'))
from outbound o
left join targets t on t.source = o.source and t.integration_name = o.name
where o.category is distinct from 'EXTERNAL_ACCESS'
union all
select distinct source || '/' || coalesce(name, '?'), source, 'access', name, null, null from outbound where category = 'EXTERNAL_ACCESS'
