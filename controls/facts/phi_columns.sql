-- TAG_REFERENCES lists direct tags only: the nearest level wins, and a value such as 'none' removes the mark.
-- Contracts name objects as Snowflake does; dbt names are compared without case.
with objects as (
  select source, table_catalog as database_name, table_schema as schema_name, table_name as object_name, table_id, table_type
  from snowflake.tables
  where deleted is null
),
known as (
  select source, table_id, bool_or(deleted is null) as live, min(table_type) filter (where deleted is null) as table_type from snowflake.tables group by all
),
live as (
  select
    c.source, c.table_catalog as database_name, c.table_schema as schema_name, c.table_name as object_name, c.column_name,
    c.table_id, c.column_id, c.data_type, k.table_type
  from snowflake.columns c
  left join known k on k.source = c.source and k.table_id = c.table_id
  where c.deleted is null and k.live is distinct from false
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
  where t.object_deleted is null and coalesce(list_contains(list_transform(s.phi_tags, lambda tag: upper(tag)), upper(t.tag_name)), true)
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
contract_rows as (
  select
    c.database_name, c.schema_name, c.object_name, c.column_name, c.column_class, c.masking_policy,
    coalesce(upper(c.classification) like 'PHI%', true) as phi_product,
    coalesce(list_contains(s.not_phi_classes, lower(trim(c.column_class))), false) as no_phi
  from contracts.products c
  cross join settings s
  where c.interface is distinct from 'share'
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
words as (
  select unnest(phi_words) as word from settings
),
node_columns as (
  select database_name, schema_name, object_name, unnest(json_keys(columns)) as name, columns from nodes
),
node_marks as (
  select database_name, schema_name, object_name, upper(name) as column_name, columns -> name -> 'meta' as meta, lower((columns -> name -> 'tags')::varchar) as tags
  from node_columns
),
by_dbt as (
  select distinct m.database_name, m.schema_name, m.object_name, m.column_name
  from node_marks m
  cross join words w
  where m.tags like '%"' || w.word || '"%'
    or lower(coalesce(m.meta ->> '$.classification', m.meta ->> '$.class', '')) like w.word || '%'
    or lower(m.meta ->> w.word) not in ('none', 'no', 'false')
    or m.meta ->> '$.policy_required' is not null
),
-- where something nobody showed us belongs: the account that has the database, else the first one
homes as (
  select upper(database_name) as database_name, min(source) as source from objects group by all
),
first_home as (
  select coalesce(min(source), 'snowflake') as source from snowflake.tables
),
marks as (
  select source, database_name, schema_name, object_name, column_name, true as tag, false as contract, false as dbt, false as suspected, null as class, null as policy
  from nearest
  where best % 2 = 0
  union all
  select
    coalesce(l.source, h.source, f.source), c.database_name, c.schema_name, c.object_name, c.column_name, false,
    not c.no_phi and (c.column_class is not null or c.masking_policy is not null), false, not c.no_phi and c.phi_product, c.column_class, c.masking_policy
  from contract_rows c
  cross join first_home f
  left join homes h on h.database_name = upper(c.database_name)
  left join live l
    on l.database_name = c.database_name and l.schema_name = c.schema_name and l.object_name = c.object_name and l.column_name = c.column_name
  where c.column_name is not null
  union all
  select
    coalesce(l.source, h.source, f.source), coalesce(l.database_name, d.database_name), coalesce(l.schema_name, d.schema_name),
    coalesce(l.object_name, d.object_name), coalesce(l.column_name, d.column_name), false, false, true, false, null, null
  from by_dbt d
  cross join first_home f
  left join homes h on h.database_name = d.database_name
  left join live l
    on upper(l.database_name) = d.database_name and upper(l.schema_name) = d.schema_name and upper(l.object_name) = d.object_name
    and upper(l.column_name) = d.column_name
  union all
  select l.source, l.database_name, l.schema_name, l.object_name, l.column_name, false, false, false, true, null, null
  from live l
  join (select unnest(phi_column_names) as name from settings) n on n.name = upper(l.column_name)
),
-- contracts that disagree about PHI are all named: no list of classes and no policy is called like that
marked as (
  select
    m.source, m.database_name, m.schema_name, m.object_name, m.column_name,
    bool_or(m.tag) as tag, bool_or(m.contract) as contract, bool_or(m.dbt) as dbt, bool_or(m.suspected) as suspected,
    coalesce(string_agg(distinct m.class, ', ' order by m.class) filter (where m.contract), min(m.class)) as contract_class,
    string_agg(distinct m.policy, ', ' order by m.policy) as contract_policy
  from marks m
  group by all
),
declared_objects as (
  select distinct source, upper(database_name) as database_name, upper(schema_name) as schema_name, upper(object_name) as object_name
  from marked
  where tag or contract or dbt
),
live_objects as (
  select distinct source, database_name, schema_name, object_name from live
),
described as (
  select distinct database_name, schema_name, object_name from contract_rows where column_name is not null
),
called_phi as (
  select t.source, t.object_database as database_name, t.object_schema as schema_name, t.object_name, true as tag, false as contract, false as dbt
  from tags t
  left join live_objects l on l.source = t.source and l.database_name = t.object_database and l.schema_name = t.object_schema and l.object_name = t.object_name
  where t.level = 'TABLE' and t.phi and l.source is null
  union all
  select null, c.database_name, c.schema_name, c.object_name, false, true, false
  from contract_rows c
  left join described k on k.database_name = c.database_name and k.schema_name = c.schema_name and k.object_name = c.object_name
  where c.phi_product and k.object_name is null
  union all
  select null, n.database_name, n.schema_name, n.object_name, false, false, true
  from nodes n
  join words w on n.class like w.word || '%'
),
placed as (
  select
    coalesce(c.source, o.source, h.source, f.source) as source, coalesce(o.database_name, c.database_name) as database_name,
    coalesce(o.schema_name, c.schema_name) as schema_name, coalesce(o.object_name, c.object_name) as object_name,
    bool_or(c.tag) as tag, bool_or(c.contract) as contract, bool_or(c.dbt) as dbt
  from called_phi c
  cross join first_home f
  left join objects o
    on upper(o.database_name) = upper(c.database_name) and upper(o.schema_name) = upper(c.schema_name) and upper(o.object_name) = upper(c.object_name)
    and o.source = coalesce(c.source, o.source)
  left join homes h on h.database_name = upper(c.database_name)
  group by all
),
without_columns as (
  select p.*
  from placed p
  left join declared_objects d
    on d.source = p.source and d.database_name = upper(p.database_name) and d.schema_name = upper(p.schema_name) and d.object_name = upper(p.object_name)
  where d.object_name is null
),
everything as (
  select * from marked where tag or contract or dbt or suspected
  union all by name
  select source, database_name, schema_name, object_name, null as column_name, tag, contract, dbt, false as suspected from without_columns
)
select
  e.source, e.database_name, e.schema_name, e.object_name, e.column_name, l.table_id, l.column_id, l.data_type, l.table_type,
  l.column_name is not null as seen,
  case when e.tag or e.contract or e.dbt then 'declared' else 'suspected' end as state,
  concat_ws(', ', case when e.tag then 'tag' end, case when e.contract then 'contract' end, case when e.dbt then 'dbt' end, case when not (e.tag or e.contract or e.dbt) then 'name' end) as sources,
  e.contract_class, e.contract_policy
from everything e
left join live l
  on l.source = e.source and l.database_name = e.database_name and l.schema_name = e.schema_name and l.object_name = e.object_name and l.column_name = e.column_name
