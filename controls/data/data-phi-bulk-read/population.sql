-- a user that nobody knows counts as a person
with services as (
  select source, user_name from fact.user group by all having bool_and(kind <> 'human')
),
statements as (
  select f.source, f.user_name, f.query_id, f.query_start_time, max(q.rows_written_to_result) as row_count
  from (select distinct source, user_name, query_id, query_start_time from fact.phi_access) f
  left join services v on v.source = f.source and v.user_name = f.user_name
  left join snowflake.query_history q on q.source = f.source and q.query_id = f.query_id
  where v.user_name is null
  group by all
)
select
  s.source || '/' || coalesce(s.user_name, 'unknown user') as item, s.source,
  count(*) as statements, sum(s.row_count)::bigint as row_count,
  coalesce(sum(case when extract(hour from s.query_start_time) >= c.off_from or extract(hour from s.query_start_time) < c.off_to then s.row_count end), 0)::bigint as off_count,
  bool_and(s.row_count is not null and s.query_start_time is not null) as told,
  count(*) - count(s.row_count) as uncounted, count(*) - count(s.query_start_time) as undated
from statements s
cross join params c
group by all
