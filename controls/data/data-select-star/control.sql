with statements as (
  select item, source, object, unnest(queries) as query_id from population
),
widths as (
  select source, table_catalog || '.' || table_schema || '.' || table_name as object, count(*) as width
  from snowflake.columns
  where deleted is null
  group by all
),
-- the columns that were read of the object itself, by its plain name; most accesses of a night are of other statements
touched as (
  select source, query_id, o.object_name as object, max(len(o.columns)) as touched
  from (select source, query_id, unnest(base_objects_accessed) as o from snowflake.access_history where query_id in (select query_id from statements))
  group by all
),
looked_at as (
  select
    s.item,
    q.rows_written_to_result as row_count, q.rows_written_to_result <= c.row_limit as small,
    regexp_matches(q.query_text, '(?is)^[\s(]*SELECT\s+(?:DISTINCT\s+|ALL\s+|TOP\s+\S+\s+)?(?:[\w"$]+\.)*\*') as star,
    t.touched * 100 >= c.wide_pct * w.width as wide
  from statements s
  cross join params c
  left join snowflake.query_history q on q.source = s.source and q.query_id = s.query_id
  left join touched t on t.source = s.source and t.query_id = s.query_id and t.object = s.object
  left join widths w on w.source = s.source and w.object = s.object
),
judged as (
  select
    item, count(*) as statements, max(row_count) as most, count(*) - count(row_count) as uncounted,
    min(case when small then 9 when star then 1 when wide then 2 when not star and not wide then 9 else 3 end) as rank
  from looked_at
  group by item
)
select
  item,
  case when rank = 9 then 'pass' else 'fail' end as result,
  case rank when 9 then '' when 1 then 'star' when 2 then 'wide' else 'unknown-value' end as reason,
  statements || case when statements = 1 then ' statement' else ' statements' end || case when most is null then ', number of rows not known' else ', at most ' || most || if(most = 1, ' row', ' rows') || case when uncounted > 0 then ' where known' else '' end end as observed,
  'the columns that are needed' as expected
from judged
