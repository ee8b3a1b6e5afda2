-- as_of is the end of the night. A grant at an unknown time may have been made that night.
with phi as (
  select distinct source, database_name, schema_name, object_name from fact.phi_columns where state = 'declared'
),
grants as (
  select source, role as what, 'user' as holder_kind, grantee_name as who, created_on, deleted_on, null as path from snowflake.grants_to_users
  union all
  select
    g.source,
    case
      when upper(g.granted_on) = 'ROLE' then g.name
      when upper(g.granted_on) in ('DATABASE_ROLE', 'DATABASE ROLE') then g.table_catalog || '.' || g.name
      else upper(g.privilege) || ' on ' || concat_ws('.', g.table_catalog, g.table_schema, g.name)
    end,
    case when upper(g.granted_to) <> 'USER' then 'role' else 'user' end,
    case when upper(g.granted_to) = 'DATABASE_ROLE' then g.table_catalog || '.' || g.grantee_name else g.grantee_name end,
    g.created_on, g.deleted_on,
    case when upper(g.granted_to) <> 'USER' then concat_ws('.', g.table_catalog, g.table_schema, g.name) end
  from snowflake.grants_to_roles g
  left join phi p on p.source = g.source and p.database_name = g.table_catalog and p.schema_name = g.table_schema and p.object_name = g.name
  where upper(g.granted_to) is distinct from 'SHARE'
    and (p.source is not null or coalesce(upper(g.granted_to), 'USER') = 'USER' or (upper(g.granted_on) in ('ROLE', 'DATABASE_ROLE', 'DATABASE ROLE') and upper(g.privilege) is distinct from 'OWNERSHIP'))
),
statements as (
  select
    q.source, q.query_id, q.user_name, q.start_time, q.end_time,
    regexp_extract(trim(q.query_text, ' ;'), '^\s*GRANT\s+(?:DATABASE\s+)?ROLE\s+("[^"?]+"|[\w$.]+)\s+TO\s+(?:DATABASE\s+ROLE|ROLE|USER)\s+("[^"?]+"|[\w$.]+)$', ['what', 'who'], 'i') as part,
    q.query_text is null or not regexp_matches(q.query_text, '^\s*GRANT\s', 'i') or regexp_matches(q.query_text, '^\s*GRANT\s+(DATABASE\s+)?ROLE\s', 'i') as matters
  from snowflake.query_history q
  where (upper(q.query_type) like 'GRANT%' or regexp_matches(q.query_text, '^\s*GRANT\s', 'i')) and upper(q.execution_status) is distinct from 'FAIL'
),
spelled as (
  select
    source, query_id, user_name, start_time, end_time,
    case when part.what like '"%' then part.what[2:-2] else upper(nullif(part.what, '')) end as what,
    case when part.who like '"%' then part.who[2:-2] else upper(nullif(part.who, '')) end as who
  from statements
  where matters
)
select
  g.source || '/' || coalesce(g.what, 'unknown role') || ' to ' || g.holder_kind || ' ' || coalesce(g.who, 'unknown holder') || ' at ' || coalesce(strftime(g.created_on, '%Y-%m-%d %H:%M:%S'), 'unknown time') as item,
  'grant' as kind, g.what, g.who, g.created_on, g.path,
  min(lower(s.user_name)) as granter, max(lower(s.user_name)) as other_granter,
  count(e.source) > 0 as recreated
from grants g
cross join params c
left join spelled s on s.source = g.source and s.what = g.what and s.who = g.who
left join grants e
  on e.source = g.source and e.what = g.what and e.who = g.who and e.created_on < g.created_on and e.deleted_on <= g.created_on and e.deleted_on >= g.created_on - to_minutes(c.recreated_minutes)
where coalesce(g.created_on >= c.night and g.created_on < c.as_of, true)
group by g.source, g.what, g.holder_kind, g.who, g.created_on, g.path
union all
select
  s.source || '/statement ' || s.query_id as item, case when s.what is null then 'unreadable' else 'unseen' end, s.what, s.who, null, null, null, null, null
from spelled s
cross join params c
left join grants g
  on g.source = s.source and coalesce(g.deleted_on >= c.night, true)
  and ((g.what = s.what and g.who = s.who) or (s.what is null and g.created_on >= s.start_time - to_seconds(1) and g.created_on <= s.end_time + to_seconds(1)))
where g.source is null
group by s.source, s.query_id, s.what, s.who
