with managed as (
  select lower(name) as name, index_key, replace(replace(type, 'snowflake_account_role', 'snowflake_role'), 'snowflake_', '') as kind
  from terraform.state
  where mode = 'managed' and starts_with(type, 'snowflake_')
),
by_terraform as (
  select distinct p.item
  from (
    select p.item, p.kind, m.kind as type from population p join managed m on m.index_key = p.path
    union all
    select p.item, p.kind, m.kind from population p join managed m on m.name = lower(replace(p.path, '.', '_'))
  ) p
  where p.type = p.kind or starts_with(p.type, p.kind || '_') or (p.kind = 'table' and p.type in ('view', 'dynamic_table', 'materialized_view', 'external_table'))
),
by_dbt as (
  select distinct upper(n.database || '.' || n.schema || '.' || coalesce(n.alias, n.name)) as path
  from dbt.nodes n
  where n.enabled and n.resource_type in ('model', 'snapshot', 'seed')
),
loaded as (
  select unnest(schemas) as prefix from register.deployers where tool = 'loader'
),
live as (
  select distinct upper(table_catalog || '.' || table_schema || '.' || table_name) as path from snowflake.tables where deleted is null
),
plans as (
  select source, document, planned_at, complete and not errored as whole from terraform.plan where part = 'document'
),
differing as (
  select source, document, count(case when part = 'change' then 1 end) as changes, count(case when part = 'drift' then 1 end) as drifts, count(case when part = 'deferred' then 1 end) as deferred
  from terraform.plan
  where part in ('drift', 'deferred') or (part = 'change' and not coalesce(list_has_all(['no-op', 'read'], actions), false))
  group by source, document
),
judged as (
  select
    p.item, p.kind, g.planned_at, g.document is not null as planned, g.whole, f.changes, f.drifts, f.deferred, c.max_age_days,
    case p.kind
      when 'document' then case
        when f.document is null and g.whole and g.planned_at >= c.as_of - to_days(c.max_age_days::int) then ''
        when g.document is null then 'no-plan'
        when g.whole is not true then 'plan-partial'
        when f.document is not null then 'drift'
        when g.planned_at is null then 'unknown-value'
        else 'plan-old'
      end
      when 'node' then case when l.path is not null then '' else 'not-in-warehouse' end
      else case
        when p.unnamed then 'unknown-value'
        when t.item is not null then ''
        when p.kind = 'table' and b.path is not null then ''
        when p.kind = 'table' and exists (select 1 from loaded r where starts_with(p.path, r.prefix || '.') or (ends_with(r.prefix, '.*') and starts_with(p.path, left(r.prefix, length(r.prefix) - 1)))) then ''
        else 'not-in-code'
      end
    end as reason
  from population p
  cross join params c
  left join by_terraform t on t.item = p.item
  left join by_dbt b on b.path = upper(p.path)
  left join live l on l.path = upper(p.path)
  left join plans g on g.source = p.source and g.document = p.path
  left join differing f on f.source = g.source and f.document = g.document
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case kind
    when 'document' then case
      when not planned then 'no plan'
      else 'planned ' || coalesce(strftime(planned_at, '%Y-%m-%d %H:%M'), 'at an unknown time') || if(whole, '', ', failed or left something out')
        || if(changes > 0, ', would change ' || changes || ' resource' || if(changes = 1, '', 's'), '') || if(drifts > 0, ', ' || drifts || ' drifted', '') || if(deferred > 0, ', ' || deferred || ' put off', '')
    end
    when 'node' then case when reason = '' then 'in the warehouse' else 'not in the warehouse' end
    else case when reason = '' then 'declared' else 'not declared' end
  end as observed,
  case kind when 'document' then 'a plan without changes, at most ' || max_age_days || ' day' || if(max_age_days = 1, '', 's') || ' old' when 'node' then 'in the warehouse' else 'declared in code' end as expected
from judged
