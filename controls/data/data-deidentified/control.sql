with passed as (
  select distinct upper(n.database) as database_name, upper(n.schema) as schema_name, upper(coalesce(n.alias, n.name)) as object_name, upper(t.column_name) as column_name
  from dbt.tests t
  cross join params c
  join dbt.nodes n on n.source = t.source and n.unique_id = t.attached_node
  join dbt.run_results r on r.source = t.source and r.unique_id = t.unique_id and list_contains(c.targets, r.target_name)
  where list_contains(c.value_tests, t.test_name) and t.enabled is distinct from false and t.where_clause is null
    and lower(r.status) = 'pass' and r.executed is distinct from false
    and not exists (
      select 1 from dbt.run_results l
      where l.source = r.source and l.unique_id = r.unique_id and l.generated_at > r.generated_at and lower(l.status) is distinct from 'pass'
    )
),
judged as (
  select
    p.item, p.data_type, p.method, p.whole,
    case
      when p.whole and not p.strict then ''
      when p.method = 'safe_harbor' then ''
      when p.method = 'expert' and p.documented and p.expires > c.night then ''
      when p.method = 'expert' then 'determination-missing'
      when p.whole then 'method-missing'
      when not p.seen then 'object-not-seen'
      when f.state = 'declared' then 'identifier'
      when f.state = 'suspected' then 'identifier-name'
      when p.data_type is null then 'unknown-value'
      when not p.strict or t.column_name is not null then ''
      when regexp_matches(p.data_type, '(?i)(?:^|, )(?:DATE|TIME)') or regexp_matches(p.column_name, '(?i)(?:^|_)(?:AGE|ZIP\w*|POSTAL\w*|POSTCODE)(?:_|$)') then 'value-not-tested'
      when p.data_type <> '' then ''
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
  left join fact.phi_columns f
    on f.source = p.source and f.database_name = p.database_name and f.schema_name = p.schema_name and f.object_name = p.object_name and f.column_name = p.column_name
  left join passed t
    on t.database_name = upper(p.database_name) and t.schema_name = upper(p.schema_name) and t.object_name = upper(p.object_name) and t.column_name = upper(p.column_name)
)
select
  item,
  case when reason = '' then 'pass' when reason in ('identifier-name', 'object-not-seen') then 'review' else 'fail' end as result,
  reason,
  case when whole then 'method ' || method else 'type ' || coalesce(data_type, 'unknown') end as observed,
  case when whole then 'safe harbor, or an expert''s determination in force' else 'no identifier, generalised values' end as expected
from judged
