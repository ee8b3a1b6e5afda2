with requests as (
  select
    t.source || '/request ' || concat_ws(' ', t.system, t.id) as item,
    lower(t.user_name) as who, t.role, t.approved_at,
    t.expires_at, t.reviewed_at,
    coalesce(lower(t.approver) not in (lower(t.user_name), lower(t.requester)), false) as independent,
    lower(t.reviewer) not in (lower(t.user_name), lower(t.approver)) as reviewed_by_another
  from records.tickets t
  where t.type = 'break_glass' and t.status in ('approved', 'in_progress', 'resolved', 'closed')
),
covered_grants as (
  select
    p.item, bool_or(r.independent) as independent,
    bool_or(r.independent and p.ended <= least(coalesce(r.expires_at, p.started + to_hours(c.max_hours)), p.started + to_hours(c.max_hours))) as in_time
  from population p
  cross join params c
  join requests r
    on r.who = lower(p.who) and r.role = p.role
    and r.approved_at <= p.started + to_minutes(c.retro_minutes) and coalesce(r.expires_at, p.started) >= p.started
  group by all
),
sign_ins as (
  select p.item, l.event_timestamp as signed_in, count(r.who) > 0 as covered, coalesce(bool_or(r.independent), false) as independent
  from population p
  cross join params c
  join snowflake.login_history l on l.source = p.source and l.user_name = p.who and upper(l.is_success) is distinct from 'NO'
  left join requests r
    on r.who = lower(p.who) and r.approved_at <= l.event_timestamp + to_minutes(c.retro_minutes)
    and l.event_timestamp <= least(coalesce(r.expires_at, r.approved_at + to_hours(c.max_hours)), r.approved_at + to_hours(c.max_hours))
  group by all
),
uses as (
  select item, count(*) as sign_ins, count(*) filter (where not covered) as loose, count(*) filter (where covered and not independent) as own, bool_and(covered) as covered, bool_and(independent) as independent, bool_or(signed_in is null) as unclear from sign_ins group by all
),
reviews as (
  select
    r.item, r.reviewed_at, p.ended + to_days(c.review_days) as due, coalesce(r.reviewed_at >= p.ended and r.reviewed_at <= p.ended + to_days(c.review_days), false) as reviewed, r.reviewed_by_another as by_another,
    c.as_of <= p.ended + to_days(c.review_days) as not_due,
    list_contains(c.break_glass_roles, r.role) or exists (select 1 from register.break_glass b where lower(b."user") = r.who) as emergency
  from requests r
  join population p on p.item = r.item
  cross join params c
),
judged as (
  select
    p.item, p.kind, p.started, p.ended, c.as_of, u.sign_ins, u.loose, u.own, u.unclear, v.item is not null as approved, v.emergency, v.reviewed, v.reviewed_at, v.due, v.by_another, v.not_due,
    g.item is not null as requested, g.independent, g.in_time,
    case p.kind
      when 'grant' then case
        when g.in_time then ''
        when p.role is null or p.who is null or p.started is null then 'unknown-value'
        when g.item is null then 'no-approved-request'
        when not g.independent then 'self-approved'
        else 'held-too-long'
      end
      when 'user' then case
        when u.item is null or u.independent then ''
        when u.unclear then 'unknown-value'
        when not u.covered then 'no-approved-request'
        else 'self-approved'
      end
      when 'request' then case
        when v.emergency and ((v.reviewed and v.by_another) or (v.not_due and not v.reviewed)) then ''
        when v.item is null then 'unknown-value'
        when not coalesce(v.emergency, false) then 'not-emergency'
        when v.reviewed then 'self-reviewed'
        else 'not-reviewed'
      end
      else case
        when list_contains(c.system_parents, p.who) then ''
        when p.who is null then 'unknown-value'
        else 'inherited-role'
      end
    end as reason
  from population p
  cross join params c
  left join covered_grants g on g.item = p.item
  left join uses u on u.item = p.item
  left join reviews v on v.item = p.item
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case kind
    when 'user' then coalesce(sign_ins, 0) || ' sign-in' || if(coalesce(sign_ins, 0) = 1, '', 's') || if(loose > 0, ', ' || loose || ' outside every approved request', '') || if(own > 0, ', ' || own || ' within a request approved by its user or requester alone', '') || if(unclear, ', one at an unknown time', '')
    when 'request' then case
      when not approved then 'its status is not one of an approved request'
      else if(emergency, '', 'names neither an emergency role nor an emergency user, ')
        || case when not_due and not reviewed then 'review not due before ' || strftime(due, '%Y-%m-%d') else coalesce('reviewed ' || strftime(reviewed_at, '%Y-%m-%d') || if(reviewed_at < ended, ', before its end', ''), 'not reviewed') || if(reviewed, if(by_another, '', ' by its user or approver, or by nobody known'), ', due by ' || strftime(due, '%Y-%m-%d')) end
    end
    when 'grant' then 'granted ' || coalesce(strftime(started, '%Y-%m-%d %H:%M'), 'at an unknown time') || if(ended >= as_of, ', open at the end of the night', ', ended ' || strftime(ended, '%Y-%m-%d %H:%M'))
      || case when in_time then ', within an approved request' when not requested then ', no approved request for it' when not independent then ', the request approved by its user or requester, or by nobody known' else ', beyond the end of the request or the longest time' end
    else 'inherits an emergency role'
  end as observed,
  case kind
    when 'user' then 'each within an approved request' when 'request' then 'reviewed in time by another person'
    when 'grant' then 'approved, and ended in time' else 'a system role'
  end as expected
from judged
