-- a statement of unknown kind that did not fail may be one of them
select distinct
  q.source || '/' || q.query_id as item, q.source, q.query_id, upper(q.query_type) as kind, q.query_text as text,
  q.database_name, q.schema_name, q.session_id, q.user_name, q.role_name, q.start_time, q.rows_unloaded
from snowflake.query_history q
cross join params c
where q.night = c.night and coalesce(upper(q.query_type), 'UNKNOWN') in ('UNLOAD', 'GET_FILES', 'UNKNOWN')
  and coalesce(lower(q.execution_status) not in ('fail', 'incident'), true)
