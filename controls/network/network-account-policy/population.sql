-- The most specific policy wins in Snowflake (integration, user, account), so those on users and integrations are items of their own.
with live_policies as (
  select distinct source, name from snowflake.network_policies where deleted is null
),
sources as (
  select distinct source from snowflake.parameters
  union
  select distinct source from snowflake.network_policies
),
setting as (
  select source, nullif(trim(value), '') as policy, upper(level) as level
  from snowflake.parameters
  where upper(key) = 'NETWORK_POLICY'
),
account as (
  select s.source, a.policy, a.level from sources s left join setting a on a.source = s.source
),
assigned as (
  select distinct r.source, r.policy_name as policy, coalesce(upper(r.ref_entity_domain), 'UNKNOWN') as domain, coalesce(r.ref_entity_name, '?') as entity
  from snowflake.policy_references r
  left join live_policies n on n.source = r.source and n.name = r.policy_name
  where (upper(r.policy_kind) = 'NETWORK_POLICY' or (r.policy_kind is null and n.name is not null))
    and upper(r.ref_entity_domain) is distinct from 'ACCOUNT'
),
tokens as (
  select distinct source, coalesce(user_name, '?') as user_name, coalesce(name, '?') as name
  from snowflake.credentials
  where coalesce(upper(status), 'ACTIVE') = 'ACTIVE'
    and (additional_details ->> '$.MINS_TO_BYPASS_NETWORK_POLICY_REQUIREMENT') not in ('0', '')
)
select
  a.source || '/account policy' as item, a.source, 'account' as kind, a.policy, a.level, null as entry, p.name is not null as policy_found
from account a
left join live_policies p on p.source = a.source and p.name = a.policy
union all
select e.source || '/' || e.policy || ' allows ' || e.entry, e.source, 'entry', e.policy, null, e.entry, true
from fact.network_entries e
join account a on a.source = e.source and a.policy = e.policy
union all
select s.source || '/' || s.domain || ' ' || s.entity || ' policy ' || coalesce(s.policy, '?'), s.source, 'assigned', s.policy, null, null, p.name is not null
from assigned s
left join live_policies p on p.source = s.source and p.name = s.policy
union all
select source || '/' || user_name || ' token ' || name, source, 'token', null, null, null, true from tokens
