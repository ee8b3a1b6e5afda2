with attached as (
  select
    a.source, upper(a.ref_entity_domain) as domain, case when upper(a.ref_entity_domain) = 'USER' then a.ref_entity_name end as user_name,
    max(coalesce(p.session_idle_timeout_mins, 99999)) as idle, max(coalesce(p.session_ui_idle_timeout_mins, 99999)) as ui,
    bool_and(coalesce(upper(a.policy_status) = 'ACTIVE', false)) as live
  from snowflake.policy_attachments a
  left join snowflake.session_policies p
    on p.source = a.source and p.database = a.policy_db and p.schema = a.policy_schema and p.name = a.policy_name and p.deleted is null
  where upper(a.policy_kind) = 'SESSION_POLICY'
  group by all
),
looked_at as (
  select
    p.item, p.admin, coalesce(u.live, c.live) as live, coalesce(u.idle, c.idle) as idle, coalesce(u.ui, c.ui) as ui, k.value,
    case when p.admin then s.admin_minutes else s.default_minutes end as idle_limit,
    case when p.admin then least(s.admin_minutes, s.ui_minutes) else s.ui_minutes end as ui_limit
  from population p
  cross join params s
  left join attached u on u.source = p.source and u.user_name = p.user_name
  left join attached c on c.source = p.source and c.domain = 'ACCOUNT'
  left join (
    select source, user_name, max(lower(trim(value))) as value from snowflake.user_parameters where upper(key) = 'CLIENT_SESSION_KEEP_ALIVE' group by all
  ) k on k.source = p.source and k.user_name = p.user_name
),
judged as (
  select
    *,
    case
      when live and idle between 1 and idle_limit and ui between 1 and ui_limit and value = 'false' then ''
      when live is null then 'no-policy'
      when idle = 99999 or ui = 99999 then 'unknown-value'
      when idle not between 1 and idle_limit or ui not between 1 and ui_limit then 'idle-too-long'
      when value = 'true' then 'keep-alive'
      else 'unknown-value'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when admin then 'administrator, ' else '' end
    || case when live is null then 'no session policy' when idle = 99999 or ui = 99999 then 'idle time not known' else 'idle ' || idle || ' minute' || if(idle = 1, '', 's') || ', in the browser ' || ui end
    || ', keep alive ' || coalesce(value, 'not known') as observed,
  'idle ' || idle_limit || ' minute' || if(idle_limit = 1, '', 's') || ' at most, in the browser ' || ui_limit || ', not kept alive' as expected
from judged
