-- Of a body only the names of roles, texts and the branches that return the argument are read; that its digest is the reviewed one is the strong test. Roles kept in a table that a body reads are not seen.
with held as (
  select distinct r.source, coalesce(upper(r.policy_kind), 'MASKING_POLICY') as kind, r.policy_db, r.policy_schema, r.policy_name
  from snowflake.policy_references r
  join (select distinct source, database_name, schema_name, object_name from fact.phi_columns where state = 'declared') p
    on p.source = r.source and p.database_name = r.ref_database_name and p.schema_name = r.ref_schema_name and p.object_name = r.ref_entity_name
  where coalesce(upper(r.policy_kind), 'MASKING_POLICY') in ('MASKING_POLICY', 'ROW_ACCESS_POLICY')
),
bodies as (
  select source, 'MASKING_POLICY' as kind, policy_catalog, policy_schema, policy_name, policy_owner, policy_signature, policy_body from snowflake.masking_policies where deleted is null
  union all
  select source, 'ROW_ACCESS_POLICY', policy_catalog, policy_schema, policy_name, policy_owner, policy_signature, policy_body from snowflake.row_access_policies where deleted is null
),
-- comments go first, so that they neither hide nor fake a word; what a policy shows when it holds nothing back: its argument, or every row
cleaned as (
  select
    *,
    regexp_replace(policy_body, '(''(?:[^'']|'''')*'')|--[^\n]*|/\*(?:[^*]|\*+[^*/])*\*+/', '\1 ', 'g') as code,
    case when kind = 'MASKING_POLICY' then upper(regexp_extract(policy_signature, '^\(\s*("[^"]*"|[^\s,)]+)', 1)) else 'TRUE' end as open
  from bodies
),
shaped as (
  select
    *,
    upper(trim(regexp_replace(regexp_replace(code, '''(?:[^'']|'''')*''', '''''', 'g'), '\s+', ' ', 'g'))) as shape,
    regexp_extract_all(code, '''((?:[^'']|'''')*)''', 1) as literals,
    -- a role in a comparison with the session's role, or asked for by a function that ends in ROLE…
    regexp_extract_all(
      array_to_string(regexp_extract_all(
        code,
        '(?i)(?:''[^'']*''\s*(?:=|<>|!=)\s*)?(?:\b(?:CURRENT|INVOKER)_\w*ROLES?\s*\(\s*\)|\bIS_\w*ROLE\w*\s*\(\s*''[^'']*'')(?:\s*(?:=|<>|!=|(?:NOT\s+)?(?:IN|LIKE|ILIKE))\s*\(?\s*''[^'']*''(?:\s*,\s*''[^'']*'')*)?'
      ), ' '),
      '''([^'']*)''', 1
    ) as roles
  from cleaned
),
read as (
  select
    *,
    list_transform(
      string_split_regex(shape, '\b(?:THEN|ELSE)\b')[2:],
      lambda piece: regexp_replace(regexp_replace(regexp_replace(piece, '\b(?:WHEN|END)\b.*$', ''), '::\s*\w+(?:\s*\([^)]*\))?', '', 'g'), '[\s();]', '', 'g')
    ) as branches,
    regexp_replace(regexp_replace(shape, '::\s*\w+(?:\s*\([^)]*\))?', '', 'g'), '[\s();]', '', 'g') as squeezed
  from shaped
),
joined as (
  select
    h.source, h.kind, h.policy_name, concat_ws('.', h.policy_db, h.policy_schema, h.policy_name) as policy,
    b.policy_name is not null as found, b.policy_owner as owner, b.policy_body, b.roles,
    b.squeezed = b.open
      or (len(b.branches) > 0 and len(list_filter(b.branches, lambda branch: branch <> b.open)) = 0)
      or regexp_matches(b.shape, '^CASE WHEN (?:TRUE|1 ?= ?1) THEN')
      or regexp_matches(b.shape, '\bOR (?:TRUE|1 ?= ?1)\b') as passes_through,
    regexp_matches(b.shape, '\b(?:INVOKER_ROLE|IS_GRANTED_TO_INVOKER_ROLE)\s*\(') as asks_invoker,
    regexp_matches(b.shape, '\bSELECT\b') as reads_table,
    list_has_any(
      list_transform(b.literals, lambda word: upper(word)), ['ACCOUNTADMIN', 'SECURITYADMIN', 'SYSADMIN', 'USERADMIN', 'ORGADMIN', 'PUBLIC']
    ) as bypass,
    g.policy is not null as registered, x.policy is not null as expired,
    lower(g.body_sha256) = sha256(b.policy_body) as as_reviewed,
    list_has_all(g.roles, b.roles) as roles_reviewed,
    b.policy_owner = g.owner as owner_reviewed,
    concat_ws('; ',
      case when g.policy is not null then null when x.policy is not null then 'the review on record has run out' else 'no reviewed version on record' end,
      case when lower(g.body_sha256) <> sha256(b.policy_body) then 'body differs from the one on record' when g.policy is not null and b.policy_body is null then 'body not known' end,
      'names roles that the review does not: ' || nullif(array_to_string(list_sort(list_distinct(list_filter(b.roles, lambda r: not list_contains(g.roles, r)))), ', '), ''),
      case when b.policy_owner <> g.owner then 'owner on record is ' || g.owner end
    ) as observed
  from held h
  left join read b
    on b.source = h.source and b.kind = h.kind and b.policy_catalog = h.policy_db and b.policy_schema = h.policy_schema and b.policy_name = h.policy_name
  left join register.data_policies g
    on g.policy = concat_ws('.', h.policy_db, h.policy_schema, h.policy_name) and g.kind = lower(replace(h.kind, '_POLICY', ''))
  left join (select distinct policy, kind from register_expired.data_policies) x
    on x.policy = concat_ws('.', h.policy_db, h.policy_schema, h.policy_name) and x.kind = lower(replace(h.kind, '_POLICY', ''))
)
select
  source, kind, policy, owner, roles, reads_table,
  -- every flaw, in words; `reason` is the first of them
  case
    when policy_name is null then 'name not known'
    when not found then 'not among the live policies'
    else concat_ws('; ',
      case when passes_through then 'holds nothing back' end, case when bypass then 'names an administrator role or PUBLIC' end, nullif(observed, ''),
      case when asks_invoker then 'asks for the invoker''s role' end
    )
  end as observed,
  case
    when as_reviewed and roles_reviewed and owner_reviewed and not passes_through and not bypass and not asks_invoker then ''
    when policy_name is null then 'unknown-value'
    when not found then 'policy-unknown'
    when passes_through then 'pass-through'
    when bypass then 'bypass-role'
    when not registered and expired then 'registration-expired'
    when not registered then 'not-registered'
    when not as_reviewed then 'body-differs'
    when not roles_reviewed then 'role-not-approved'
    when not owner_reviewed then 'other-owner'
    -- an owner that is not known is graver: data-phi-mask-coverage lets this reason alone pass where no view stands above
    when owner_reviewed and asks_invoker then 'invoker-role'
    else 'unknown-value'
  end as reason
from joined
