-- User grants stand in GRANTS_TO_ROLES; GRANTS_TO_USERS holds roles only. The same grant by two grantors is one item.
with grants as (
  select
    source, upper(granted_to) as granted_to, privilege, upper(granted_on) as granted_on,
    coalesce(grantee_name, '?') || ': ' || coalesce(privilege, '?') || ' on ' || coalesce(granted_on, '?') || ' '
      || coalesce(nullif(concat_ws('.', case when upper(granted_on) <> 'DATABASE' then table_catalog end, case when upper(granted_on) <> 'SCHEMA' then table_schema end, name), ''), '?') as spelled
  from snowflake.grants_to_roles
  where deleted_on is null
    and coalesce(upper(granted_to), 'USER') = 'USER'
    and not (coalesce(upper(privilege), '') = 'USAGE' and coalesce(upper(granted_on), '') in ('ROLE', 'DATABASE_ROLE', 'DATABASE ROLE', 'APPLICATION_ROLE', 'INSTANCE_ROLE'))
),
sources as (
  select distinct source from snowflake.parameters
  union
  select distinct source from snowflake.grants_to_roles
)
select distinct source || '/' || spelled as item, granted_to, privilege, granted_on, null as value, false as is_parameter from grants
union all
-- shown twice, the parameter counts as set only if every value says so
select
  s.source || '/DISABLE_USER_PRIVILEGE_GRANTS', null, null, null,
  case when count(*) = count(*) filter (where lower(p.value) = 'true') then 'true' else min(p.value) filter (where lower(p.value) <> 'true') end,
  true
from sources s
left join snowflake.parameters p on p.source = s.source and upper(p.key) = 'DISABLE_USER_PRIVILEGE_GRANTS'
group by s.source
