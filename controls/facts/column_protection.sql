-- A policy set on the column outranks one that comes through a tag. A reference must name the column: a policy that sits on
-- a tag says nothing of a column whose data type it does not fit.
with families (name, family) as (
  values
    ('VARCHAR', 'TEXT'), ('TEXT', 'TEXT'), ('STRING', 'TEXT'), ('CHAR', 'TEXT'), ('CHARACTER', 'TEXT'), ('NCHAR', 'TEXT'), ('NVARCHAR', 'TEXT'),
    ('NVARCHAR2', 'TEXT'), ('CHAR VARYING', 'TEXT'), ('NCHAR VARYING', 'TEXT'),
    ('NUMBER', 'NUMBER'), ('DECIMAL', 'NUMBER'), ('DEC', 'NUMBER'), ('NUMERIC', 'NUMBER'), ('INT', 'NUMBER'), ('INTEGER', 'NUMBER'),
    ('BIGINT', 'NUMBER'), ('SMALLINT', 'NUMBER'), ('TINYINT', 'NUMBER'), ('BYTEINT', 'NUMBER'),
    ('FLOAT', 'FLOAT'), ('FLOAT4', 'FLOAT'), ('FLOAT8', 'FLOAT'), ('DOUBLE', 'FLOAT'), ('DOUBLE PRECISION', 'FLOAT'), ('REAL', 'FLOAT'),
    ('BOOLEAN', 'BOOLEAN'), ('DATE', 'DATE'), ('TIME', 'TIME'), ('DATETIME', 'TIMESTAMP_NTZ'), ('TIMESTAMP', 'TIMESTAMP_NTZ'),
    ('TIMESTAMP_NTZ', 'TIMESTAMP_NTZ'), ('TIMESTAMPNTZ', 'TIMESTAMP_NTZ'), ('TIMESTAMP_LTZ', 'TIMESTAMP_LTZ'), ('TIMESTAMPLTZ', 'TIMESTAMP_LTZ'),
    ('TIMESTAMP_TZ', 'TIMESTAMP_TZ'), ('TIMESTAMPTZ', 'TIMESTAMP_TZ'), ('BINARY', 'BINARY'), ('VARBINARY', 'BINARY')
),
live_policies as (
  select source, policy_catalog, policy_schema, policy_name, policy_signature, policy_return_type, policy_body
  from snowflake.masking_policies
  where deleted is null
),
-- comments go first, then text literals: neither may hide or fake a keyword
cleaned as (
  select
    *,
    regexp_extract(policy_signature, '^\(\s*("[^"]*"|[^\s,)]+)\s+([^,)(]+)', ['argument', 'type']) as signed,
    upper(trim(regexp_replace(policy_body, '(''(?:[^'']|'''')*'')|--[^\n]*|/\*(?:[^*]|\*+[^*/])*\*+/', '\1 ', 'g'))) as commentless
  from live_policies
),
shaped as (
  select
    *,
    upper(nullif(signed.argument, '')) as argument,
    trim(regexp_replace(regexp_replace(commentless, '''(?:[^'']|'''')*''', '''''', 'g'), '\s+', ' ', 'g')) as body
  from cleaned
),
results as (
  select
    *,
    -- what stands behind each THEN and ELSE, up to the next keyword, without brackets and casts
    list_transform(
      string_split_regex(body, '\b(?:THEN|ELSE)\b')[2:],
      lambda piece: regexp_replace(regexp_replace(regexp_replace(piece, '\b(?:WHEN|END)\b.*$', ''), '::\s*\w+(?:\s*\([^)]*\))?', '', 'g'), '[\s();]', '', 'g')
    ) as branches,
    regexp_replace(regexp_replace(body, '::\s*\w+(?:\s*\([^)]*\))?', '', 'g'), '[\s();]', '', 'g') as squeezed
  from shaped
),
policies as (
  select
    r.source, r.policy_catalog, r.policy_schema, r.policy_name,
    coalesce(a.family, upper(trim(r.signed.type))) as argument_family,
    coalesce(b.family, upper(trim(regexp_replace(r.policy_return_type, '\(.*$', '')))) as return_family,
    r.squeezed = r.argument
      or (len(r.branches) > 0 and len(list_filter(r.branches, lambda branch: branch <> r.argument)) = 0)
      or regexp_matches(r.body, '^CASE WHEN (?:TRUE|1 ?= ?1) THEN')
      or (regexp_matches(r.commentless, 'IS_ROLE_IN_SESSION\s*\(\s*''PUBLIC''\s*\)') and r.branches[1] = r.argument) as passes_through,
    regexp_matches(r.body, '\b(?:INVOKER_ROLE|IS_GRANTED_TO_INVOKER_ROLE)\s*\(') as asks_invoker
  from results r
  left join families a on a.name = upper(trim(r.signed.type))
  left join families b on b.name = upper(trim(regexp_replace(r.policy_return_type, '\(.*$', '')))
),
-- what is set on the column outranks what comes through a tag
refs as (
  select source, ref_database_name, ref_schema_name, ref_entity_name, ref_column_name, policy_db, policy_schema, policy_name, policy_status, tag_name is not null as via_tag
  from snowflake.policy_references
  where coalesce(upper(policy_kind), 'MASKING_POLICY') = 'MASKING_POLICY'
  qualify via_tag = bool_and(via_tag) over (partition by source, ref_database_name, ref_schema_name, ref_entity_name, ref_column_name)
),
-- of several policies of one rank none can be relied on: the count says so
chosen as (
  select
    source, ref_database_name, ref_schema_name, ref_entity_name, ref_column_name, via_tag,
    min({'db': policy_db, 'schema': policy_schema, 'name': policy_name}) as policy,
    count(distinct concat_ws('.', policy_db, policy_schema, policy_name)) as policies,
    case when count(*) = count(policy_status) then case when bool_and(upper(policy_status) = 'ACTIVE') then 'ACTIVE' else min(policy_status) filter (where upper(policy_status) <> 'ACTIVE') end end as policy_status
  from refs
  group by source, ref_database_name, ref_schema_name, ref_entity_name, ref_column_name, via_tag
),
viewed as (
  select distinct source, referenced_database, referenced_schema, referenced_object_name
  from snowflake.object_dependencies
  where coalesce(upper(referencing_object_domain), 'VIEW') like '%VIEW%'
)
select
  p.source, p.database_name, p.schema_name, p.object_name, p.column_name, p.data_type,
  coalesce(upper(p.table_type) like '%VIEW%', false) as is_view,
  coalesce(f.family, upper(trim(regexp_replace(p.data_type, '\(.*$', '')))) as family,
  v.source is not null as has_views,
  c.policies, c.via_tag, c.policy_status, c.policy.name as policy_name,
  concat_ws('.', c.policy.db, c.policy.schema, c.policy.name) as policy,
  m.policy_name is not null as policy_found,
  m.argument_family, m.return_family, m.passes_through, m.asks_invoker
from fact.phi_columns p
left join families f on f.name = upper(trim(regexp_replace(p.data_type, '\(.*$', '')))
left join chosen c
  on c.source = p.source and c.ref_database_name = p.database_name and c.ref_schema_name = p.schema_name
  and c.ref_entity_name = p.object_name and c.ref_column_name = p.column_name
left join policies m
  on m.source = c.source and m.policy_catalog = c.policy.db and m.policy_schema = c.policy.schema and m.policy_name = c.policy.name
left join viewed v
  on v.source = p.source and v.referenced_database = p.database_name and v.referenced_schema = p.schema_name and v.referenced_object_name = p.object_name
where p.state = 'declared' and p.seen
