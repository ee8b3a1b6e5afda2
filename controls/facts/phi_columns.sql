-- TAG_REFERENCES lists direct tags only: the nearest level wins, and a value such as 'none' removes the mark.
-- Contracts name objects as Snowflake does; dbt names are compared without case.
with dropped as (
  select source, table_id from snowflake.tables group by all having count(*) filter (where deleted is null) = 0
),
objects as (
  select source, table_catalog as database_name, table_schema as schema_name, table_name as object_name, table_id, min(table_type) as table_type
  from snowflake.tables
  where deleted is null
  group by all
),
live as (
  select
    c.source, c.table_catalog as database_name, c.table_schema as schema_name, c.table_name as object_name, c.column_name,
    c.table_id, c.column_id, c.data_type, o.table_type
  from snowflake.columns c
  left join objects o on o.source = c.source and o.table_id = c.table_id
  where c.deleted is null and not exists (select 1 from dropped d where d.source = c.source and d.table_id = c.table_id)
),
tags as (
  select
    t.source, concat_ws('.', t.tag_database, t.tag_schema, t.tag_name) as tag,
    case
      when upper(t.domain) in ('SCHEMA', 'DATABASE', 'ACCOUNT') then upper(t.domain)
      when upper(t.domain) = 'COLUMN' or t.column_name is not null then 'COLUMN'
      else 'TABLE'
    end as level,
    t.object_database, t.object_schema, t.object_name, t.column_name,
    not coalesce(list_contains(s.not_phi_values, lower(trim(t.tag_value))), false) as phi
  from snowflake.tag_references t
  cross join settings s
  where t.object_deleted is null and coalesce(list_contains(s.phi_tags, upper(t.tag_name)), true)
),
tagged as (
  select source, tag, object_database as database_name, object_schema as schema_name, object_name, column_name, 1 as distance, phi
  from tags where level = 'COLUMN'
  union all
  select l.source, t.tag, l.database_name, l.schema_name, l.object_name, l.column_name, 2, t.phi
  from tags t
  join live l on l.source = t.source and l.database_name = t.object_database and l.schema_name = t.object_schema and l.object_name = t.object_name
  where t.level = 'TABLE'
  union all
  select l.source, t.tag, l.database_name, l.schema_name, l.object_name, l.column_name, 3, t.phi
  from tags t
  join live l on l.source = t.source and l.database_name = t.object_database and l.schema_name = t.object_name
  where t.level = 'SCHEMA'
  union all
  select l.source, t.tag, l.database_name, l.schema_name, l.object_name, l.column_name, 4, t.phi
  from tags t
  join live l on l.source = t.source and l.database_name = t.object_name
  where t.level = 'DATABASE'
  union all
  select l.source, t.tag, l.database_name, l.schema_name, l.object_name, l.column_name, 5, t.phi
  from tags t
  join live l on l.source = t.source
  where t.level = 'ACCOUNT'
),
-- even: the nearest level says PHI; the same level saying both counts as PHI
nearest as (
  select source, tag, database_name, schema_name, object_name, column_name, min(2 * distance + case when phi then 0 else 1 end) as best
  from tagged
  group by all
),
by_tag as (
  select distinct source, database_name, schema_name, object_name, column_name from nearest where best % 2 = 0
),
contract_rows as (
  select
    c.database_name, c.schema_name, c.object_name, c.column_name, c.column_class, c.masking_policy,
    coalesce(upper(c.classification) like 'PHI%', true) as phi_product,
    coalesce(list_contains(s.not_phi_classes, lower(trim(c.column_class))), false) as no_phi
  from contracts.products c
  cross join settings s
  where c.interface is distinct from 'share'
),
by_contract as (
  select
    database_name, schema_name, object_name, column_name,
    bool_or(not no_phi and (column_class is not null or masking_policy is not null)) as declared,
    bool_or(not no_phi and phi_product) as suspected,
    min(column_class) as contract_class,
    min(masking_policy) as contract_policy
  from contract_rows
  where column_name is not null
  group by all
),
nodes as (
  select
    upper(n.database) as database_name, upper(n.schema) as schema_name, upper(coalesce(n.alias, n.name)) as object_name,
    lower(coalesce(n.meta ->> '$.classification', n.meta ->> '$.class', '')) as class,
    n.columns
  from dbt.nodes n
  where n.enabled is distinct from false
    and coalesce(n.resource_type, 'model') in ('model', 'snapshot', 'seed', 'source')
    and n.materialized is distinct from 'ephemeral'
),
node_columns as (
  select database_name, schema_name, object_name, unnest(json_keys(columns)) as name, columns from nodes where columns is not null
),
node_marks as (
  select database_name, schema_name, object_name, upper(name) as column_name, columns -> name -> 'meta' as meta, lower((columns -> name -> 'tags')::varchar) as tags
  from node_columns
),
by_dbt as (
  select distinct m.database_name, m.schema_name, m.object_name, m.column_name
  from node_marks m
  cross join (select unnest(phi_words) as word from settings) w
  where m.tags like '%"' || w.word || '"%'
    or lower(coalesce(m.meta ->> '$.classification', m.meta ->> '$.class', '')) like w.word || '%'
    or lower(coalesce(m.meta ->> w.word, 'none')) not in ('none', 'no', 'false')
    or m.meta ->> '$.policy_required' is not null
),
marked as (
  select
    l.source, l.database_name, l.schema_name, l.object_name, l.column_name, l.table_id, l.column_id, l.data_type, l.table_type,
    true as seen,
    t.source is not null as tag,
    coalesce(c.declared, false) as contract,
    d.object_name is not null as dbt,
    coalesce(c.suspected, false) or n.name is not null as suspected,
    c.contract_class, c.contract_policy
  from live l
  left join by_tag t
    on t.source = l.source and t.database_name = l.database_name and t.schema_name = l.schema_name and t.object_name = l.object_name
    and t.column_name = l.column_name
  left join by_contract c
    on c.database_name = l.database_name and c.schema_name = l.schema_name and c.object_name = l.object_name and c.column_name = l.column_name
  left join by_dbt d
    on d.database_name = upper(l.database_name) and d.schema_name = upper(l.schema_name) and d.object_name = upper(l.object_name)
    and d.column_name = upper(l.column_name)
  left join (select distinct unnest(phi_column_names) as name from settings) n on n.name = upper(l.column_name)
),
-- where a column nobody showed us belongs: the account that has the database, else the first one
homes as (
  select database_name, min(source) as source from objects group by all
),
first_home as (
  select coalesce(min(source), 'snowflake') as source from snowflake.tables
),
unseen as (
  select t.source, t.database_name, t.schema_name, t.object_name, t.column_name, true as tag, false as contract, false as dbt, null as contract_class, null as contract_policy
  from by_tag t
  where not exists (
    select 1 from live l
    where l.source = t.source and l.database_name = t.database_name and l.schema_name = t.schema_name and l.object_name = t.object_name and l.column_name = t.column_name
  )
  union all
  select coalesce(h.source, f.source), c.database_name, c.schema_name, c.object_name, c.column_name, false, true, false, c.contract_class, c.contract_policy
  from by_contract c
  cross join first_home f
  left join homes h on h.database_name = c.database_name
  where c.declared and not exists (
    select 1 from live l
    where l.database_name = c.database_name and l.schema_name = c.schema_name and l.object_name = c.object_name and l.column_name = c.column_name
  )
  union all
  select coalesce(h.source, f.source), d.database_name, d.schema_name, d.object_name, d.column_name, false, false, true, null, null
  from by_dbt d
  cross join first_home f
  left join homes h on upper(h.database_name) = d.database_name
  where not exists (
    select 1 from live l
    where upper(l.database_name) = d.database_name and upper(l.schema_name) = d.schema_name and upper(l.object_name) = d.object_name
      and upper(l.column_name) = d.column_name
  )
),
declared as (
  select * from marked where tag or contract or dbt
  union all by name
  select source, database_name, schema_name, object_name, column_name, null::bigint as table_id, null::bigint as column_id, null as data_type, null as table_type,
    false as seen, bool_or(tag) as tag, bool_or(contract) as contract, bool_or(dbt) as dbt, false as suspected,
    min(contract_class) as contract_class, min(contract_policy) as contract_policy
  from unseen
  group by all
),
called_phi as (
  select t.source, t.object_database as database_name, t.object_schema as schema_name, t.object_name, true as tag, false as contract, false as dbt
  from tags t
  where t.level = 'TABLE' and t.phi
    and not exists (
      select 1 from live l
      where l.source = t.source and l.database_name = t.object_database and l.schema_name = t.object_schema and l.object_name = t.object_name
    )
  union
  select coalesce(h.source, f.source), c.database_name, c.schema_name, c.object_name, false, true, false
  from contract_rows c
  cross join first_home f
  left join homes h on h.database_name = c.database_name
  where c.column_name is null and c.phi_product
    and not exists (
      select 1 from contract_rows k
      where k.column_name is not null and k.database_name = c.database_name and k.schema_name = c.schema_name and k.object_name = c.object_name
    )
  union
  select coalesce(h.source, f.source), coalesce(o.database_name, n.database_name), coalesce(o.schema_name, n.schema_name), coalesce(o.object_name, n.object_name), false, false, true
  from nodes n
  join (select unnest(phi_words) as word from settings) w on n.class like w.word || '%'
  cross join first_home f
  left join homes h on upper(h.database_name) = n.database_name
  left join objects o on upper(o.database_name) = n.database_name and upper(o.schema_name) = n.schema_name and upper(o.object_name) = n.object_name
),
without_columns as (
  select source, database_name, schema_name, object_name, bool_or(tag) as tag, bool_or(contract) as contract, bool_or(dbt) as dbt
  from called_phi c
  where not exists (
    select 1 from declared d
    where d.database_name = c.database_name and d.schema_name = c.schema_name and d.object_name = c.object_name
  )
  group by all
),
everything as (
  select * from declared
  union all by name
  select * from marked where suspected and not (tag or contract or dbt)
  union all by name
  select source, database_name, schema_name, object_name, null as column_name, false as seen, tag, contract, dbt, false as suspected from without_columns
)
select
  source, database_name, schema_name, object_name, column_name, table_id, column_id, data_type, table_type, seen,
  case when tag or contract or dbt then 'declared' else 'suspected' end as state,
  concat_ws(', ', case when tag then 'tag' end, case when contract then 'contract' end, case when dbt then 'dbt' end, case when suspected and not (tag or contract or dbt) then 'name' end) as sources,
  contract_class, contract_policy
from everything
