with contracts_by_object as (
  select
    database_name || '.' || schema_name || '.' || object_name as path,
    case when roles_allowed is not null then roles_allowed || coalesce(system_parents, []) || coalesce(inherited_by, []) end as roles,
    roles_allowed is not null as stated
  from contracts.products
  where column_name is null and interface is distinct from 'share'
),
allowed as (
  select distinct path, unnest(roles) as role from contracts_by_object
),
contracted as (
  select path, bool_or(stated) as stated from contracts_by_object group by all
),
statements as (
  select
    row_number() over (order by source, user_name, role_name, agent_type, secondary, state, object, named_directly, through, truncated_id) as n,
    *
  from (
    select
      source, user_name, role_name, agent_type, secondary, state, object, named_directly, through,
      case when state <> 'read' then coalesce(query_id, '?') end as truncated_id,
      min(query_start_time) as first_time, count(*) as statements
    from fact.phi_access
    group by all
  )
),
-- SECONDARY_ROLE_STATS is JSON whose lists hold role ids, or names; other values in it are counts and words
secondary_values as (
  select s.n, s.source, unnest(json_extract_string(s.secondary, '$.*[*]')) as value
  from statements s
),
session_roles as (
  select n, role_name as role from statements
  union
  select v.n, r.name
  from secondary_values v
  join snowflake.roles r on r.source = v.source and r.deleted_on is null and (r.role_id::varchar = v.value or r.name = v.value)
),
by_contract as (
  select distinct s.n
  from statements s
  join session_roles r on r.n = s.n
  join allowed a on a.path = s.object and a.role = r.role
),
view_steps as (
  select n, unnest(through) as path from statements where not named_directly
),
through_views as (
  select v.n
  from view_steps v
  group by v.n
  having bool_and(exists (select 1 from session_roles r join allowed a on a.role = r.role where r.n = v.n and a.path = v.path))
),
users as (
  select source, user_name, bool_or(active or kind = 'platform') as active, bool_or(live) as live, max(deleted_on) as deleted_on
  from fact.user
  group by all
),
looked_at as (
  select
    s.*,
    c.stated,
    c.path is not null as contracted,
    b.n is not null or t.n is not null or g."user" is not null as allowed,
    coalesce(case
      when u.user_name is null then list_contains(e.platform_users, s.user_name)
      else u.live or u.deleted_on > s.first_time
    end, false) as known,
    coalesce(u.active or not u.live, true) as active,
    s.agent_type is null or list_contains(p.agents_allowed, s.agent_type) as agent_fits
  from statements s
  cross join params p
  cross join settings e
  left join contracted c on c.path = s.object
  left join by_contract b on b.n = s.n
  left join through_views t on t.n = s.n
  left join (select distinct "user", role from register.service_accounts) g on g."user" = s.user_name and g.role = s.role_name
  left join users u on u.source = s.source and u.user_name = s.user_name
),
judged as (
  select
    *,
    case
      when state = 'read' and known and agent_fits and allowed and role_name is not null and active then 9
      when state = 'truncated' then 7
      when state <> 'read' or role_name is null then 1
      when not known then 2
      when not agent_fits then 3
      when allowed then 8
      when not contracted then 4
      when not stated then 6
      when not allowed then 5
      else 1
    end as rank
  from looked_at
),
spelled as (
  select
    source || '/' || coalesce(user_name, 'unknown user') || ' as ' || coalesce(role_name, 'unknown role')
      || case state
        when 'read' then ' -> ' || object
        when 'truncated' then ': truncated record ' || truncated_id
        else ': unreadable record ' || truncated_id
      end as item,
    rank, statements, first_time, secondary is not null as has_secondary
  from judged
),
worst as (
  select item, min(rank) as rank, sum(statements)::bigint as statements, min(first_time) as first_time, bool_or(has_secondary) as has_secondary
  from spelled
  group by all
)
select
  item,
  case when rank = 9 then 'pass' when rank in (7, 8) then 'review' else 'fail' end as result,
  case rank
    when 9 then '' when 8 then 'disabled-user' when 7 then 'truncated' when 5 then 'role-not-allowed' when 4 then 'no-contract'
    when 3 then 'agent-not-approved' when 2 then 'unknown-user' else 'unknown-value'
  end as reason,
  statements || case when statements = 1 then ' statement' else ' statements' end || ', first ' || coalesce(strftime(first_time, '%Y-%m-%d %H:%M'), 'at an unknown time')
    || case when has_secondary then ', with secondary roles' else '' end as observed,
  'a role that the contract or the service register allows' as expected
from worst
