with said as (
  select database_name, schema_name, object_name, 1 as who from contracts.products where trim(classification) <> ''
  union
  select upper(database), upper(schema), upper(coalesce(alias, name)), 2
  from dbt.nodes
  where enabled is distinct from false
    and (
      coalesce(meta ->> '$.classification', meta ->> '$.class', meta ->> '$."sf.classification"') is not null
      or len(list_filter(json_extract_string(columns, '$.*.meta.classification') || json_extract_string(columns, '$.*.meta.class'), lambda class: class <> '')) > 0
    )
),
sayings as (
  select item, min(who) as who
  from (
    select p.item, s.who from population p join said s on s.who = 1 and s.database_name = p.table_catalog and s.schema_name = p.table_schema and s.object_name = p.table_name
    union all
    select p.item, s.who from population p join said s on s.who = 2 and s.database_name = upper(p.table_catalog) and s.schema_name = upper(p.table_schema) and s.object_name = upper(p.table_name)
  )
  group by item
),
judged as (
  select
    p.item, s.who, k.status, k.last_classified_on,
    case
      when s.item is not null then ''
      when k.table_id is null then 'not-looked-at'
      when k.last_classified_on < c.as_of - to_days(c.max_days) then 'classifier-outdated'
      when k.status is null or k.last_classified_on is null then 'unknown-value'
      when upper(k.status) = 'REVIEWED' then ''
      -- a result of a shape we know that recommends no category
      when k.result::varchar like '%"recommendation"%' and k.result::varchar not like '%_category"%' then ''
      when k.last_classified_on < c.as_of - to_days(c.decide_days) then 'undecided-past-due'
      else 'undecided'
    end as reason
  from population p
  cross join params c
  left join sayings s on s.item = p.item
  left join snowflake.data_classification_latest k on k.source = p.source and k.table_id = p.table_id
)
select
  item,
  case when reason = '' then 'pass' when reason = 'undecided' then 'review' else 'fail' end as result,
  reason,
  case
    when who = 1 then 'contract'
    when who = 2 then 'dbt'
    when last_classified_on is not null then 'classifier, ' || coalesce(lower(status), 'unknown state') || ', ' || strftime(last_classified_on, '%Y-%m-%d')
    else 'nothing'
  end as observed,
  'a contract, a class in dbt or a decided classifier result' as expected
from judged
