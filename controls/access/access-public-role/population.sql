-- The same grant by two grantors is one item. A grant without a holder is counted in the account's row.
with grants as (
  select
    source, privilege, upper(granted_on) as object_type, upper(granted_to) as holder_kind, grantee_name, false as future,
    concat_ws('.', case when upper(granted_on) <> 'DATABASE' then table_catalog end, case when upper(granted_on) <> 'SCHEMA' then table_schema end, name) as object
  from snowflake.grants_to_roles
  where deleted_on is null
  union all
  select source, privilege, upper(grant_on), upper(grant_to), grantee_name, true, name from snowflake.future_grants
),
role_grants as (
  select * from grants where coalesce(holder_kind, 'ROLE') in ('ROLE', 'ACCOUNT ROLE', 'ACCOUNT_ROLE')
)
select distinct
  source || '/' || case when future then 'future ' else '' end || coalesce(privilege, '?') || ' on ' || coalesce(object_type, '?') || ' ' || coalesce(nullif(object, ''), '?') as item,
  source, privilege, object_type, object, future, null::bigint as unnamed
from role_grants
where grantee_name = 'PUBLIC'
union all
select source || '/PUBLIC', source, null, null, null, false, count(*) filter (where holder_kind is distinct from 'SHARE' and grantee_name is null)
from grants
group by source
