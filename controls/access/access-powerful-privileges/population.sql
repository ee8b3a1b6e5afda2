-- What a role nobody can name holds, and a grant on an object of no known kind, may be account-wide.
with holders as (
  select
    source, coalesce(case when upper(granted_to) = 'DATABASE_ROLE' then table_catalog || '.' end, '') || grantee_name as holder,
    count(*) filter (where grant_option) as options, count(*) filter (where grant_option is null) as unknown
  from snowflake.grants_to_roles
  where deleted_on is null and coalesce(upper(granted_to), 'ROLE') in ('ROLE', 'ACCOUNT ROLE', 'ACCOUNT_ROLE', 'DATABASE_ROLE') and upper(privilege) is distinct from 'OWNERSHIP'
  group by all
)
select
  source || '/' || coalesce(upper(privilege), 'unknown privilege') || ' for ' || case when holder_kind = 'USER' then 'user ' else '' end || coalesce(holder, 'unknown holder') as item,
  'power' as kind, upper(privilege) as privilege, case when holder_kind = 'USER' then 'USER' else 'ROLE' end as holder_kind, holder, min(depth) as amount, null::bigint as unknown
from fact.role_privileges
where coalesce(object_type, 'ACCOUNT') = 'ACCOUNT'
group by all
union all
select source || '/grant option of ' || coalesce(holder, 'unknown holder'), 'option', null, 'ROLE', holder, options, unknown from holders
union all
select
  p.source || '/schema ' || p.database_name || '.' || p.schema_name, 'schema', null, null, null,
  count(*) filter (where upper(s.is_managed_access) = 'NO'), count(*) filter (where coalesce(upper(s.is_managed_access), '') not in ('YES', 'NO'))
from (select distinct source, database_name, schema_name from fact.phi_columns where state = 'declared') p
left join snowflake.schemata s on s.source = p.source and s.catalog_name = p.database_name and s.schema_name = p.schema_name and s.deleted is null
group by p.source, p.database_name, p.schema_name
