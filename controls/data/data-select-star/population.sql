-- a user that nobody knows counts as a person, a statement of unknown kind as a SELECT
with services as (
  select source, user_name from fact.user group by all having bool_and(kind <> 'human')
)
select
  f.source || '/' || coalesce(f.user_name, 'unknown user') || ' -> ' || f.object as item, f.source, f.object, list_sort(list_distinct(array_agg(f.query_id order by f.query_id))) as queries
from fact.phi_access f
left join services v on v.source = f.source and v.user_name = f.user_name
left join snowflake.query_history q on q.source = f.source and q.query_id = f.query_id
where f.named_directly and v.user_name is null and coalesce(upper(q.query_type), 'SELECT') = 'SELECT'
group by f.source, f.user_name, f.object
