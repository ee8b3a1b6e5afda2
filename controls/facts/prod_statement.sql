-- Only the beginning of a text decides that a statement is about something else: a temporary table, or a role given to somebody.
with typed as (
  select
    q.source, q.query_id, q.session_id, q.user_name, q.role_name, q.query_type, q.start_time, q.query_tag, q.database_name, q.schema_name,
    lower(q.query_text) as text,
    coalesce(upper(q.query_type), 'UNKNOWN') as kind,
    coalesce(q.rows_inserted, 0) + coalesce(q.rows_updated, 0) + coalesce(q.rows_deleted, 0) as rows_changed
  from snowflake.query_history q
  where coalesce(lower(q.execution_status) not like 'fail%' and lower(q.execution_status) <> 'incident', true)
),
sorted as (
  select
    *,
    kind = 'UNKNOWN' or (
      regexp_matches(kind, '^(CREATE|ALTER|DROP|UNDROP|RENAME|SWAP|RESTORE|GRANT|REVOKE)')
      and not regexp_matches(kind, '^(CREATE|ALTER|DROP)_(SESSION|USER|ROLE|ACCOUNT|WAREHOUSE|RESOURCE_MONITOR|NETWORK_POLICY)')
      and coalesce(not regexp_matches(text, '^\s*((create\s+(or\s+replace\s+)?((local|global)\s+)?(temp|temporary|volatile)\s)|((grant|revoke)\s+(database\s+)?role\s))'), true)
    ) as is_ddl,
    kind = 'UNKNOWN' or rows_changed > 0 or (
      regexp_matches(kind, '^(INSERT|UPDATE|DELETE|MERGE|COPY|TRUNCATE|MULTI_TABLE_INSERT|CREATE_TABLE_AS_SELECT)')
      and coalesce(not regexp_matches(text, '^\s*create\s+(or\s+replace\s+)?((local|global)\s+)?(temp|temporary|volatile)\s'), true)
    ) as is_write
  from typed
),
-- most statements of a night change nothing: nothing else is asked of them
changing as (
  select * from sorted where is_ddl or is_write
),
modified as (
  select source, query_id, object_modified_by_ddl ->> '$.objectName' as name from snowflake.access_history
  union all
  select source, query_id, unnest(list_transform(objects_modified, lambda o: o.object_name)) from snowflake.access_history
),
targets as (
  select source, query_id, replace(string_split(name, '.')[1], '"', '') as database_name, replace(string_split(name, '.')[2], '"', '') as schema_name
  from modified
  where name is not null
),
-- where a target, or failing that the session, is: the schema's own row before the database's; what is not registered counts as production, a sandbox does not
places as (
  select c.query_id, c.source, t.database_name is not null as known, coalesce(t.database_name, c.database_name) as database_name,
    case when t.database_name is not null then t.schema_name else c.schema_name end as schema_name
  from changing c
  left join targets t on t.source = c.source and t.query_id = c.query_id
),
judged as (
  select
    p.source, p.query_id, p.known, p.database_name, p.schema_name,
    coalesce(o.env, a.env, 'prod') = 'prod' and coalesce(o.zone, a.zone, '') <> 'sandbox' as prod
  from places p
  left join register.zones o on o.database = p.database_name and o.schema = p.schema_name
  left join register.zones a on a.database = p.database_name and a.schema = '*'
),
placed as (
  select
    source, query_id, known, bool_or(prod) as prod,
    min({'rank': case when prod then 1 else 2 end, 'database_name': database_name, 'schema_name': schema_name}) as place
  from judged
  group by all
),
-- the same text runs many times a night, and says the same each time
named as (
  select distinct c.text
  from (select distinct text from changing) c
  join (select distinct lower(database) as name from register.zones where env = 'prod' and zone <> 'sandbox') d on contains(c.text, d.name)
  where regexp_matches(c.text, '(^|[^a-z0-9_$])' || regexp_escape(d.name) || '($|[^a-z0-9_$])')
)
select
  c.source, c.query_id, c.session_id, c.user_name, c.role_name, c.query_type, c.start_time, c.query_tag, c.is_ddl, c.is_write,
  p.known, p.place.database_name as database_name, p.place.schema_name as schema_name,
  coalesce(list_contains(s.platform_users, c.user_name), false) as platform
from changing c
cross join settings s
join placed p on p.source = c.source and p.query_id = c.query_id
left join named n on n.text = c.text
where p.prod
  or (not p.known and (n.text is not null or c.text is null or starts_with(c.text, 'hmac:') or contains(c.text, '<redacted>') or contains(c.text, '?"') or contains(c.text, 'identifier(')))
