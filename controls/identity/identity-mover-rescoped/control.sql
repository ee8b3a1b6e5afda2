with fresh as (
  select distinct p.item
  from population p
  join records.roster r on r.person_id = p.person_id
  join records.tickets t
    on t.role = p.role and t.approved_at >= p.since
    and t.type = 'access' and t.status in ('approved', 'in_progress', 'resolved', 'closed')
    and lower(t.user_name) in (lower(p.user_name), lower(r.login_name), lower(r.email))
    and not list_contains([lower(p.user_name), lower(r.login_name), lower(r.email)], lower(t.approver))
),
judged as (
  select
    p.*,
    case
      when clear and not coalesce(ahead, false) and (role is null or item in (select item from fresh)) then ''
      when not coalesce(clear, false) then 'unknown-value'
      when ahead then 'not-yet-in-force'
      else 'old-role-kept'
    end as reason
  from population p
)
select
  item,
  case reason when '' then 'pass' when 'not-yet-in-force' then 'review' else 'fail' end as result,
  reason,
  case
    when user_name is null then 'no active login' when role is null then 'no role from before'
    else 'granted ' || coalesce(strftime(created_on, '%Y-%m-%d'), 'at an unknown time')
  end as observed,
  'revoked, or approved after ' || coalesce(strftime(since, '%Y-%m-%d'), 'the change') as expected
from judged
