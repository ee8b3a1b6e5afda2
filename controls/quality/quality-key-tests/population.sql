with models as (
  select n.source, n.unique_id, n.primary_key, n.foreign_keys, n.columns
  from dbt.nodes n
  cross join params c
  where n.enabled is distinct from false and coalesce(n.resource_type, 'model') = 'model' and list_contains(c.layers, n.layer)
),
keys as (
  select source, unique_id, lower(unnest(primary_key)) as column_name from models where primary_key is not null
),
declared as (
  select source, unique_id, lower(unnest(json_extract_string(foreign_keys, '$[*].columns[*]'))) as column_name from models where foreign_keys is not null
),
named as (
  select m.source, m.unique_id, lower(unnest(json_keys(m.columns))) as column_name from models m where m.columns is not null
),
foreign_columns as (
  select source, unique_id, column_name from declared
  union
  select n.source, n.unique_id, n.column_name
  from named n
  cross join params c
  where c.fk_regex <> '' and regexp_matches(n.column_name, c.fk_regex)
    and not exists (select 1 from keys k where k.source = n.source and k.unique_id = n.unique_id and k.column_name = n.column_name)
)
select source || '/' || unique_id as item, source, unique_id, null as column_name, list_transform(primary_key, lambda k: lower(k)) as key from models
union all
select source || '/' || unique_id || '.' || column_name, source, unique_id, column_name, null from foreign_columns
