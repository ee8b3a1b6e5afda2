-- the reader of contracts sets both flags from the classification too
with products as (
  select product, database_name, schema_name, object_name, interface, deidentification, deidentified is true as deidentified
  from contracts.products
  where deidentified is true or limited_data_set is true
),
objects as (
  select database_name, schema_name, object_name, deidentified and lower(deidentification ->> '$.method') is distinct from 'expert' as strict
  from products
  where interface is distinct from 'share'
)
select
  coalesce(c.source, 'contract') || '/' || concat_ws('.', o.database_name, o.schema_name, o.object_name, coalesce(c.column_name, '*')) as item,
  c.source, o.database_name, o.schema_name, o.object_name, c.column_name, c.column_name is not null as seen,
  string_agg(distinct c.data_type, ', ' order by c.data_type) as data_type,
  -- safe harbor for one product holds whatever another says
  bool_or(o.strict) as strict, false as whole, null as method, null as documented, null as expires
from objects o
left join snowflake.columns c
  on c.deleted is null and c.table_catalog = o.database_name and c.table_schema = o.schema_name and c.table_name = o.object_name
group by all
union all
-- two contracts of one product must both hold, and say the same method
select
  'contract/' || product, null, null, null, null, null, true, null, bool_or(deidentified), true,
  string_agg(distinct coalesce(lower(deidentification ->> '$.method'), 'not stated'), ', ' order by coalesce(lower(deidentification ->> '$.method'), 'not stated')),
  bool_and(deidentification ->> '$.document' is not null), min(coalesce(try_cast(deidentification ->> '$.expires' as date), date '1900-01-01'))
from products
group by product
