with models as (
  select n.source, n.unique_id, n.primary_key, n.foreign_keys, n.columns
  from dbt.nodes n
  cross join params c
  where n.enabled is distinct from false and coalesce(n.resource_type, 'model') = 'model' and list_contains(c.layers, n.layer)
),
-- A model without a declared key: what is soundly tested both unique and not null stands for it. A weak or disabled pair
-- must not: its column would be taken for a key and never asked for a reference.
column_tests as (
  select source, attached_node as unique_id, lower(column_name) as column_name
  from dbt.tests
  where lower(test_name) in ('unique', 'not_null') and column_name is not null
    and enabled is distinct from false and lower(severity) = 'error' and where_clause is null
    and replace(coalesce(error_if, '!=0'), ' ', '') in ('!=0', '<>0', '>0')
  group by all
  having count(distinct lower(test_name)) = 2
),
keys as (
  select source, unique_id, lower(unnest(primary_key)) as column_name from models
  union
  select t.source, t.unique_id, t.column_name
  from column_tests t
  join models m on m.source = t.source and m.unique_id = t.unique_id
  where coalesce(len(m.primary_key), 0) = 0
),
declared as (
  select source, unique_id, lower(unnest(json_extract_string(foreign_keys, '$[*].columns[*]'))) as column_name from models
),
named as (
  select m.source, m.unique_id, lower(unnest(json_keys(m.columns))) as column_name from models m
),
foreign_columns as (
  select source, unique_id, column_name from declared
  union
  select n.source, n.unique_id, n.column_name
  from named n
  cross join params c
  where c.fk_regex <> '' and regexp_matches(n.column_name, c.fk_regex)
    -- a name tells a reference from the key only where the key is known; without one the model fails anyhow
    and exists (select 1 from keys k where k.source = n.source and k.unique_id = n.unique_id)
    and not exists (select 1 from keys k where k.source = n.source and k.unique_id = n.unique_id and k.column_name = n.column_name)
)
select source || '/' || unique_id as item, source, unique_id, null as column_name, list_transform(primary_key, lambda k: lower(k)) as key from models
union all
select source || '/' || unique_id || '.' || column_name, source, unique_id, column_name, null from foreign_columns
