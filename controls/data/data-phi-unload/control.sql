with placed as (
  select
    p.*,
    -- up to the first slash; paths and URLs are not kept. Names as Snowflake resolves them
    list_transform(
      regexp_extract_all(regexp_extract(p.text, '(?i)^\s*COPY\s+INTO\s+@((?:"[^"]*"|[^"/\s(;])+)', 1), '"[^"]*"|[^."]+'),
      lambda part: case when part like '"%' then replace(part, '"', '') else upper(part) end
    ) as parts
  from population p
),
named as (
  select
    p.*,
    case len(p.parts)
      when 3 then array_to_string(p.parts, '.')
      when 2 then p.database_name || '.' || array_to_string(p.parts, '.')
      when 1 then case when regexp_matches(p.parts[1], '^[~%]') then p.parts[1] else p.database_name || '.' || p.schema_name || '.' || p.parts[1] end
    end as place
  from placed p
),
registered as (
  select distinct n.item
  from named n
  left join snowflake.stages s
    on s.source = n.source and s.deleted is null and s.stage_catalog || '.' || s.stage_schema || '.' || s.stage_name = n.place
  join register.locations l on l.direction in ('out', 'both') and (l.url = '@' || n.place or starts_with(s.stage_url, l.url))
),
-- seen to have read something, all of it named, and no declared PHI
without_phi as (
  select distinct a.source, a.query_id
  from snowflake.access_history a
  left join fact.phi_access f on f.source = a.source and f.query_id = a.query_id
  where a.query_id in (select query_id from population) and f.query_id is null and len(a.base_objects_accessed) > 0
    and len(list_filter(a.base_objects_accessed, lambda o: o.object_name is null)) = 0
),
tickets as (
  select
    p.item,
    bool_or(t.second_approver not in (t.approver, p.user_name) and t.second_approved_at <= p.start_time) as second,
    max(t.row_limit) as row_limit
  from population p
  join records.tickets t on p.user_name in (t.user_name, t.requester)
  where t.type = 'export' and t.status in ('approved', 'in_progress', 'resolved', 'closed') and t.purpose is not null
    and t.approver <> p.user_name and t.approver is distinct from t.requester
    and t.approved_at <= p.start_time and coalesce(t.expires_at > p.start_time, true)
  group by p.item
),
services as (
  select source, user_name from fact.user group by all having bool_and(kind = 'service')
),
chains as (
  select distinct p.item
  from population p
  cross join params c
  join snowflake.query_history q
    on q.source = p.source and q.session_id = p.session_id and upper(q.query_type) = 'UNLOAD'
    and q.start_time <= p.start_time and q.start_time >= p.start_time - to_minutes(c.chain_minutes)
  where p.kind = 'GET_FILES'
),
looked_at as (
  select
    n.item, n.kind, n.user_name, n.role_name, n.rows_unloaded, n.place, n.session_id,
    w.query_id is not null as no_phi,
    list_contains(c.export_roles, n.role_name) as exporter,
    r.item is not null as registered,
    v.user_name is not null or t.item is not null as asked,
    h.item is not null as chained,
    n.rows_unloaded <= c.max_rows or n.rows_unloaded <= t.row_limit or t.second as few
  from named n
  cross join params c
  left join without_phi w on w.source = n.source and w.query_id = n.query_id
  left join registered r on r.item = n.item
  left join services v on v.source = n.source and v.user_name = n.user_name
  left join tickets t on t.item = n.item
  left join chains h on h.item = n.item
),
judged as (
  select
    *,
    case
      when kind = 'UNLOAD' and no_phi then ''
      when kind = 'UNLOAD' and exporter and registered and asked and few then ''
      when kind = 'GET_FILES' and exporter and asked and session_id is not null and not chained then ''
      when chained then 'unload-and-download'
      when not exporter then 'role-not-approved'
      when kind = 'UNLOAD' and place is null then 'destination-unknown'
      when kind = 'UNLOAD' and not registered then 'destination-not-registered'
      when not asked then 'no-ticket'
      when rows_unloaded is not null and few is distinct from true then 'too-many-rows'
      else 'unknown-value'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case kind when 'UNLOAD' then 'unload' when 'GET_FILES' then 'download' else 'unknown kind' end || ' by ' || coalesce(user_name, 'unknown user') || ' as ' || coalesce(role_name, 'unknown role')
    || case when kind = 'UNLOAD' then ', ' || coalesce(rows_unloaded::varchar, 'unknown') || ' rows to ' || coalesce('@' || place, 'an unknown place') || case when no_phi then ', no declared PHI read' else '' end else '' end as observed,
  'an export role, a registered place, a ticket for people' as expected
from judged
