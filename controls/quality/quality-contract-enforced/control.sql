-- dbt spells names as the project does, Snowflake as it resolved them: compared without case
with models as (
  select
    p.item, max(n.unique_id) as model, bool_and(n.contract_enforced) as enforced, bool_or(n.contract_enforced is null or n.access is null or n.columns is null) as silent,
    bool_or(n.access = 'private') as private, bool_and(n.access in ('public', 'protected')) as open
  from population p
  join dbt.nodes n
    on upper(n.database) = upper(p.database_name) and upper(n.schema) = upper(p.schema_name) and upper(coalesce(n.alias, n.name)) = upper(p.object_name)
  where n.enabled and n.resource_type in ('model', 'snapshot', 'seed')
  group by all
),
spelled as (
  select p.item, 'model' as side, upper(k.name) as column_name, json_extract_string(k.said, '$.data_type') as type
  from population p
  join (
    select database, schema, coalesce(alias, name) as object, unnest(json_keys(columns)) as name, unnest(json_extract(columns, '$.*')) as said
    from dbt.nodes
    where enabled and resource_type in ('model', 'snapshot', 'seed')
  ) k on upper(k.database) = upper(p.database_name) and upper(k.schema) = upper(p.schema_name) and upper(k.object) = upper(p.object_name)
  union all
  select p.item, 'contract', upper(c.column_name), c.column_type
  from population p
  join contracts.products c
    on c.source = p.source and c.database_name = p.database_name and c.schema_name = p.schema_name and c.object_name = p.object_name and c.column_name is not null
  union all
  select p.item, 'warehouse ' || w.source, upper(w.column_name), w.data_type
  from population p
  join snowflake.columns w on w.table_catalog = p.database_name and w.table_schema = p.schema_name and w.table_name = p.object_name
  where w.deleted is null
),
families as (
  select
    s.item, s.side, s.column_name, s.type is null as untyped,
    coalesce(split_part(list_filter(c.type_families, lambda f: split_part(f, '=', 1) = trim(regexp_extract(upper(s.type), '^[A-Z_ ]+')))[1], '=', 2), trim(regexp_extract(upper(s.type), '^[A-Z_ ]+'))) as family
  from spelled s
  cross join params c
),
columns as (
  select
    item, column_name, bool_or(side = 'contract') as contracted, bool_or(side = 'model') as modelled,
    count(distinct case when starts_with(side, 'warehouse') then side end) as warehouses,
    count(distinct case when not starts_with(side, 'warehouse') then family end) as declared, count(distinct family) as families,
    -- a contract may leave the type to the model
    bool_or(untyped and side <> 'contract') as untyped
  from families
  group by all
),
accounts as (
  select item, count(distinct side) as accounts from spelled where starts_with(side, 'warehouse') group by item
),
compared as (
  select
    k.item, a.accounts,
    count(case when k.contracted and not k.modelled then 1 end) as missing,
    count(case when k.declared > 1 then 1 end) as differing,
    count(case when k.modelled and k.untyped then 1 end) as untyped,
    count(case when not k.contracted then 1 end) as extra,
    count(case when k.modelled and k.warehouses is distinct from a.accounts then 1 end) as unbuilt,
    count(case when k.modelled and k.families > 1 then 1 end) as retyped
  from columns k
  left join accounts a on a.item = k.item
  group by all
),
-- named for the text alone
flaws as (
  select item, string_agg(what || array_to_string(names[:5], ', ') || if(len(names) > 5, ' and ' || (len(names) - 5) || ' more', ''), '; ' order by place) as flaws
  from (
    select k.item, f.place, f.what, list(k.column_name order by k.column_name) as names
    from columns k
    left join accounts a on a.item = k.item
    cross join unnest([
      { 'place': 1, 'what': 'not in the model: ', 'so': k.contracted and not k.modelled },
      { 'place': 2, 'what': 'of another type in the model: ', 'so': k.declared > 1 },
      { 'place': 3, 'what': 'without a type: ', 'so': k.modelled and k.untyped },
      { 'place': 4, 'what': 'not built: ', 'so': k.modelled and k.warehouses < a.accounts },
      { 'place': 5, 'what': 'built with another type: ', 'so': k.families > 1 and k.declared <= 1 }
    ]) as u(f)
    where f.so
    group by all
  )
  group by item
),
judged as (
  select
    p.item, m.model, m.enforced, m.private, m.open, m.silent, k.accounts, k.extra, f.flaws, c.extra_columns,
    case
      when m.enforced and m.open and not m.silent and k.missing = 0 and k.untyped = 0 and k.unbuilt = 0 and k.retyped = 0 and (c.extra_columns or k.extra = 0) then ''
      when m.item is null then 'no-model'
      when not m.enforced then 'not-enforced'
      when m.private then 'access-private'
      when m.silent then 'unknown-value'
      when k.missing > 0 then 'column-missing'
      when k.differing > 0 then 'type-differs'
      when k.untyped > 0 then 'unknown-value'
      when k.extra > 0 and not c.extra_columns then 'column-extra'
      -- cleared by the run after a merge (gate.later in library.toml): last, so that nothing a merge must wait for hides behind them
      when k.accounts is null then 'not-in-warehouse'
      when k.unbuilt > 0 then 'column-not-built'
      when k.retyped > 0 then 'type-not-built'
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
  left join models m on m.item = p.item
  left join compared k on k.item = p.item
  left join flaws f on f.item = p.item
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  concat_ws('; ',
    coalesce(model, 'no model'),
    case when model is null then null when enforced then 'contract enforced' when not enforced then 'contract not enforced' else 'not known whether the contract is enforced' end,
    case when private then 'access private' when not open then 'access neither public nor protected' end,
    case when silent then 'enforcement, access or columns not stated' end,
    case when accounts is null then 'not in the warehouse' end,
    if(model is null, null, flaws),
    case when extra > 0 then extra || ' column' || if(extra = 1, '', 's') || ' of the warehouse not in the product contract' || if(extra_columns, ', accepted', '') end
  ) as observed,
  'an enforced model that agrees with product contract and warehouse' as expected
from judged
