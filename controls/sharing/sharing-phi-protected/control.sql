-- A consumer's session has none of our roles: what asks for them reads NULL there, and may fall to the branch that shows the value.
with receivers as (
  select s.source, s.name,
    bool_and(coalesce(s.listing_global_name is null and (r.own or r.baa_id is not null) and list_contains(r.shares, s.name) and list_contains(c.unmasked_purposes, r.purpose), false)) as may_see
  from (select source, name, listing_global_name, unnest(string_split(target_accounts, ',')) as account from snowflake.shares where deleted_on is null) s
  cross join params c
  left join register.counterparties r on upper(r.account) = upper(trim(s.account))
  group by all
),
bodies as (
  select source, concat_ws('.', policy_catalog, policy_schema, policy_name) as policy,
    regexp_matches(upper(policy_body), 'CURRENT_(ROLE|AVAILABLE_ROLES|SECONDARY_ROLES|USER|SESSION|WAREHOUSE|IP_ADDRESS|ORGANIZATION_USER)|IS_ROLE_IN_SESSION|INVOKER_ROLE|GETVARIABLE') as asks_session
  from snowflake.masking_policies
  where deleted is null
),
secure_views as (
  select source, table_catalog, table_schema, table_name, upper(is_secure) = 'YES' as secure from snowflake.views where deleted is null
),
offered as (
  select s.object_name as share, t.database_name, t.schema_name, t.object_name, t.row_access_policy
  from contracts.products s
  join contracts.products t on t.product = s.product and t.column_name is null
  where s.interface = 'share'
),
objects as (
  select p.item, count(o.object_name) > 0 as agreed, bool_and(o.row_access_policy is null or a.policy_name is not null) as rows_limited
  from population p
  left join offered o on o.share = p.share and o.database_name = p.object_database and o.schema_name = p.object_schema and o.object_name = p.object_name
  left join snowflake.policy_references a
    on a.source = p.source and a.ref_database_name = p.object_database and a.ref_schema_name = p.object_schema and a.ref_entity_name = p.object_name
    and upper(a.policy_kind) = 'ROW_ACCESS_POLICY' and upper(a.policy_status) = 'ACTIVE'
    and upper(o.row_access_policy) in (upper(a.policy_name), upper(concat_ws('.', a.policy_db, a.policy_schema, a.policy_name)))
  group by all
),
judged as (
  select
    p.item, p.kind, k.policy_name, k.policy_status, b.asks_session,
    case p.kind
      when 'share' then case when p.secure_only then '' when not p.secure_only then 'not-secure-only' else 'unknown-value' end
      when 'object' then case
        when o.agreed and o.rows_limited and (p.granted_on in ('TABLE', 'DYNAMIC TABLE', 'EXTERNAL TABLE', 'ICEBERG TABLE', 'EVENT TABLE') or (p.granted_on in ('VIEW', 'MATERIALIZED VIEW') and v.secure)) then ''
        when p.granted_on not in ('TABLE', 'DYNAMIC TABLE', 'EXTERNAL TABLE', 'ICEBERG TABLE', 'EVENT TABLE', 'VIEW', 'MATERIALIZED VIEW') then 'unresolved'
        when not o.agreed then 'not-in-contract'
        when not o.rows_limited then 'no-row-policy'
        when not v.secure then 'view-not-secure'
        else 'unknown-value'
      end
      when 'column' then case
        when r.may_see or (k.policies = 1 and upper(k.policy_status) = 'ACTIVE' and k.argument_family = k.family and k.return_family = k.family and not k.passes_through and not b.asks_session) then ''
        when p.state = 'suspected' then 'suspected'
        when b.asks_session then 'asks-session'
        when k.policies is null or k.policy_status is not null then 'no-mask'
        else 'unknown-value'
      end
    end as reason
  from population p
  left join receivers r on r.source = p.source and r.name = p.share
  left join objects o on o.item = p.item
  left join secure_views v on v.source = p.source and v.table_catalog = p.object_database and v.table_schema = p.object_schema and v.table_name = p.object_name
  left join fact.column_protection k
    on k.source = p.source and k.database_name = p.object_database and k.schema_name = p.object_schema and k.object_name = p.object_name and k.column_name = p.column_name
  left join bodies b on b.source = p.source and b.policy = k.policy
)
select
  item,
  case when reason = '' then 'pass' when reason in ('unresolved', 'suspected') then 'review' else 'fail' end as result,
  reason,
  case
    when kind <> 'column' then case reason when '' then 'as agreed' when 'not-secure-only' then 'takes objects that are not secure' when 'not-in-contract' then 'in no contract that offers the share' when 'view-not-secure' then 'a view that is not secure' else replace(reason, '-', ' ') end
    else coalesce('policy ' || policy_name || ' ' || coalesce(policy_status, 'of unknown state'), 'no policy') || case when asks_session then ', asks for roles, users or sessions' else '' end
  end as observed,
  case kind when 'share' then 'secure objects only' when 'object' then 'offered by a contract, secure, rows limited as the contract says' else 'masked for every consumer, or for accounts that may see it' end as expected
from judged
