-- Privileges are compared by place, not by object: place is the schema, the database, or kind and name of what lies in none.
with roles as (
  select distinct role from register.service_accounts
),
present as (
  select distinct x.source, r.role from roles r join fact.role_reach x on x.start_role = r.role
)
select source || '/' || role as item, 'role' as kind, source, role, null as privilege, null as place from present
union all
select (select coalesce(min(source), 'snowflake') from fact.role_reach) || '/' || role, 'missing', null, role, null, null
from roles
where role not in (select role from present)
union all
select distinct
  p.source || '/' || p.holder || ': ' || case when p.future then 'future ' else '' end || coalesce(upper(p.privilege), '?') || ' on ' || coalesce(p.object_type, '?')
    || case when p.database_name is null then ' ' || coalesce(p.object_name, '?') else ' in ' || concat_ws('.', p.database_name, p.schema_name) end,
  'hold', p.source, p.holder, upper(p.privilege),
  case when p.database_name is null then p.object_type || ' ' || p.object_name else concat_ws('.', p.database_name, p.schema_name) end
from fact.role_privileges p
join roles r on r.role = p.holder
where p.holder_kind <> 'USER'
union all
select distinct source || '/unknown holder', 'unknown', source, null, null, null from fact.role_edges where holder is null or role is null
