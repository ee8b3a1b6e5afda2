with promises as (
  select distinct source, product, quality_slo::varchar as slo from contracts.products
),
keys as (
  select source, product, slo, unnest(json_keys(slo)) as name from promises
)
select
  source || '/' || product || ': ' || name as item, source, product, name, trim(slo ->> ('$."' || name || '"')) as promise
from keys
group by all
