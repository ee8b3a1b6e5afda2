-- strength of a test: 1 proves, 2 leaves rows out or tolerates failures, 3 only warns, 4 is disabled
with tests as (
  select
    t.source, t.attached_node as unique_id, lower(t.test_name) as test_name, lower(t.column_name) as column_name,
    list_sort(list_transform(json_extract_string(t.kwargs, '$.combination_of_columns[*]'), lambda k: lower(k))) as combination,
    case
      when not t.enabled then 4
      when lower(t.severity) is distinct from 'error' then 3
      when t.where_clause is not null or replace(t.error_if, ' ', '') not in ('!=0', '<>0', '>0') then 2
      else 1
    end as strength
  from dbt.tests t
),
column_tests as (
  select source, unique_id, column_name, test_name, min(strength) as strength
  from tests
  group by all
),
combination_tests as (
  select t.source, t.unique_id, t.combination, min(t.strength) as strength
  from tests t
  cross join params c
  where list_contains(c.combination_tests, t.test_name)
  group by all
),
tested_columns as (
  select u.source, u.unique_id, min(greatest(u.strength, n.strength)) as strength
  from column_tests u
  join column_tests n on n.source = u.source and n.unique_id = u.unique_id and n.column_name = u.column_name
  where u.test_name = 'unique' and n.test_name = 'not_null'
  group by all
),
key_columns as (
  select item, source, unique_id, unnest(key) as column_name from population
),
-- the weakest not_null over the key's columns; 9: one of them has none
not_nulls as (
  select k.item, max(coalesce(t.strength, 9)) as strength
  from key_columns k
  left join column_tests t on t.source = k.source and t.unique_id = k.unique_id and t.column_name = k.column_name and t.test_name = 'not_null'
  group by all
),
judged as (
  select
    p.item, p.column_name, p.key,
    case
      when p.column_name is not null then r.strength
      when coalesce(len(p.key), 0) = 0 then coalesce(i.strength, 8)
      else greatest(n.strength, coalesce(least(u.strength, b.strength), 9))
    end as strength
  from population p
  left join column_tests r on r.source = p.source and r.unique_id = p.unique_id and r.column_name = p.column_name and r.test_name = 'relationships'
  left join tested_columns i on i.source = p.source and i.unique_id = p.unique_id
  left join not_nulls n on n.item = p.item
  left join column_tests u on len(p.key) = 1 and u.source = p.source and u.unique_id = p.unique_id and u.column_name = p.key[1] and u.test_name = 'unique'
  left join combination_tests b on b.source = p.source and b.unique_id = p.unique_id and b.combination = list_sort(p.key)
)
select
  item,
  case when strength = 1 then 'pass' else 'fail' end as result,
  case
    when strength = 1 then ''
    when strength = 2 then 'test-filtered'
    when strength = 3 then 'test-warns'
    when strength = 4 then 'test-disabled'
    when strength = 8 then 'no-key'
    when column_name is not null then 'foreign-key-untested'
    when strength = 9 then 'key-untested'
    else 'unknown-value'
  end as reason,
  case when column_name is not null then 'foreign key ' || column_name else 'key ' || coalesce(nullif(array_to_string(key, ', '), ''), 'not declared') end as observed,
  case when column_name is not null then 'a relationships test' else 'unique and not null over the whole key' end as expected
from judged
