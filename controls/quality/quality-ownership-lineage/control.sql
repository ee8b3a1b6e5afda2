with nodes as (
  select
    upper(n.database) as database, upper(n.schema) as schema, upper(coalesce(n.alias, n.name)) as object, n.unique_id, n.described,
    list_filter([n.group_owner_email, n.group_owner_name, n.meta ->> '$.owner'], lambda o: trim(o) <> '') as owners,
    nullif(trim(coalesce(n.meta ->> '$.classification', n.meta ->> '$.data_classification')), '') as class,
    exists (select 1 from dbt.lineage l where l.source = n.source and l.child_id = n.unique_id and not starts_with(l.parent_id, 'test.')) as has_parent
  from dbt.nodes n
  where n.enabled and n.resource_type in ('model', 'snapshot', 'seed')
),
contracts as (
  select upper(database_name) as database, upper(schema_name) as schema, upper(object_name) as object,
    list_filter(coalesce(owners, []) || [owner], lambda o: trim(o) <> '') as owners, nullif(trim(classification), '') as class
  from contracts.products
  where column_name is null
),
stated as (
  select p.item, n.owners, n.class, n.described, n.has_parent, true as node
  from population p
  join nodes n on n.database = p.database and n.schema = p.schema and n.object = p.object
  union all
  select p.item, k.owners, k.class, null, null, false
  from population p
  join contracts k on k.database = p.database and k.schema = p.schema and k.object = p.object
),
gone as (
  select distinct s.item
  from (select item, lower(unnest(owners)) as owner from stated) s
  join records.roster r on lower(r.email) = s.owner
  group by s.item, s.owner
  having bool_and(r.status = 'terminated')
),
merged as (
  select item, sum(len(owners)) as owners, count(class) as classes, bool_or(described) as described, bool_or(has_parent) as has_parent, count(case when node then 1 end) as nodes
  from stated
  group by item
),
judged as (
  select
    p.item, m.owners, m.classes, m.nodes, m.described, m.has_parent, g.item is not null as owner_left,
    case
      when m.owners > 0 and g.item is null and m.described and m.classes > 0 and m.has_parent then ''
      when p.object is null then 'unknown-value'
      when m.item is null then 'not-in-code'
      when m.owners = 0 then 'no-owner'
      when g.item is not null then 'owner-left'
      when m.nodes > 0 and m.described is not true then 'no-description'
      when m.classes = 0 then 'no-classification'
      else 'no-lineage'
    end as reason
  from population p
  left join merged m on m.item = p.item
  left join gone g on g.item = p.item
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when nodes is null then 'no dbt node and no product contract'
    else concat_ws(', ',
      case when nodes = 0 then 'no dbt node' else nodes || ' dbt node' || if(nodes = 1, '', 's') end,
      case when owners > 0 then owners || ' owner' || if(owners = 1, '', 's') || ' stated' || if(owner_left, if(owners = 1, ', who has left', ', one of whom has left'), '') else 'no owner stated' end,
      case when described then 'described' when nodes > 0 then 'not described' end,
      case when classes > 0 then 'classified' else 'no classification stated' end,
      case when has_parent then 'with a parent in the lineage' else 'no parent in the lineage' end
    )
  end as observed,
  'owned, described, classified and in the graph' as expected
from judged
