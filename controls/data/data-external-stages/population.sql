with storage as (
  select source, name from snowflake.integrations where upper(category) = 'STORAGE'
  union
  select source, integration_name from snowflake.integrations_desc where upper(property) = 'STORAGE_ALLOWED_LOCATIONS'
),
allowed as (
  select source, integration_name, trim(unnest(string_split(property_value, ','))) as url
  from snowflake.integrations_desc
  where upper(property) = 'STORAGE_ALLOWED_LOCATIONS'
)
select
  source || '/' || coalesce(stage_catalog, '?') || '.' || coalesce(stage_schema, '?') || '.' || coalesce(stage_name, '?') || case when stage_url is null then '' else ' at ' || stage_url end as item,
  'stage' as kind, stage_url as url, case when count(*) = count(storage_integration) then min(storage_integration) end as integration
from snowflake.stages
where deleted is null and (stage_url is not null or upper(stage_type) not like 'INTERNAL%' or stage_type is null)
group by all
union all
select distinct s.source || '/' || coalesce(s.name, '?') || ' allows ' || coalesce(a.url, 'an unknown place'), 'allowed', nullif(a.url, ''), s.name
from storage s
left join allowed a on a.source = s.source and a.integration_name = s.name
