-- QUERY_ID may repeat: the first row of a statement speaks. A statement whose type and text are both unknown is in scope.
with statements as (
  select q.source, q.query_id, upper(q.query_type) as kind, q.user_name, q.role_name, upper(q.user_type) as user_type, q.start_time, upper(q.query_text) as text
  from snowflake.query_history q
  cross join params c
  where not coalesce(list_contains(c.plain_types, upper(q.query_type)), false) and not coalesce(upper(q.execution_status) like 'FAIL%', false)
  qualify row_number() over (partition by q.source, q.query_id order by q.start_time, q.query_text) = 1
)
select
  *, source || '/' || coalesce(query_id, 'unknown statement') as item,
  regexp_matches(text, '\b(UNSET|DROP)\s+(ALL\s+)?(MASKING|ROW\s+ACCESS|AGGREGATION|PROJECTION|JOIN|AUTHENTICATION|PASSWORD|SESSION)\s+(POLICY|POLICIES)|\bDROP\s+ALL\s+ROW\s+ACCESS|\bUNSET\s+(TAG|NETWORK_POLICY|MASKING)|\bDROP\s+TAG\b') as removes
from statements
where regexp_matches(kind, '^(GRANT|REVOKE)') or regexp_matches(kind, '(USER|ROLE|INTEGRATION|NETWORK|POLICY|TAG|SHARE|ACCOUNT)')
  or regexp_matches(text, '(MASKING|ROW\s+ACCESS|AGGREGATION|PROJECTION|JOIN|AUTHENTICATION|PASSWORD|SESSION|NETWORK)\s+(POLICY|POLICIES|RULE)|\bUNSET\s+MASKING|\b(SET|UNSET|WITH|CREATE|REPLACE|ALTER|DROP|UNDROP|EXISTS)\s+TAG\b|\bINTEGRATION\b|\bSHARE\b|\b(ALTER|CREATE)\s+ACCOUNT\b|^\s*(GRANT|REVOKE)\b|\b(CREATE|ALTER|DROP|REPLACE)\s+(USER|ROLE|DATABASE\s+ROLE)\b|NETWORK_POLICY')
  or (text is null and coalesce(kind = 'UNKNOWN', true))
