with runs as (
  select started_at as starts, coalesce(completed_at, started_at + to_minutes(c.match_minutes)) as ends from records.ci_runs cross join params c where kind = 'deploy'
  union all
  select i.invocation_started_at, i.generated_at from dbt.invocations i cross join params c where list_contains(c.targets, i.target_name)
),
cover as (
  select
    upper(coalesce(t.user_name, t.requester)) as who, case when t.window_start > t.approved_at then t.window_start else t.approved_at end as starts,
    coalesce(t.window_end, t.approved_at + to_minutes(c.match_minutes)) as ends
  from records.tickets t
  cross join params c
  where t.type in ('change', 'break_glass', 'access', 'access_removal') and t.status in ('approved', 'in_progress', 'resolved', 'closed')
    and upper(t.approver) <> upper(t.requester) and upper(t.approver) is distinct from upper(t.user_name)
),
judged as (
  select
    p.*,
    s."user" is not null and p.user_type = 'SERVICE' and list_contains(c.deployer_roles, p.role_name) as deployer,
    s."user" is not null or list_contains(c.deployer_roles, p.role_name) as looks_so,
    exists (select 1 from runs r where p.start_time between r.starts and r.ends) as in_run,
    exists (select 1 from cover t where t.who = upper(p.user_name) and p.start_time between t.starts and t.ends) as covered
  from population p
  cross join params c
  left join register.service_accounts s on s."user" = p.user_name and s.role = p.role_name
),
reasoned as (
  select
    *,
    case
      when query_id is null then 'unknown-value'
      when deployer and in_run then ''
      when removes then 'protection-removed'
      when covered then ''
      when user_name is null or start_time is null or text is null then 'unknown-value'
      when looks_so then 'deployer-by-hand'
      else 'no-change-record'
    end as reason
  from judged
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  coalesce(kind, 'unknown kind') || ' by ' || coalesce(user_name, 'unknown user') || ' as ' || coalesce(role_name, 'unknown role') || coalesce(' at ' || strftime(start_time, '%H:%M:%S'), '') as observed,
  'by a deployer during a run, or under an approved ticket' as expected
from reasoned
