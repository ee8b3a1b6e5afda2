with people as (
  select person, approved_on, expires, logins, reports_to
  from (select * from register.reviewers union all select * from register_expired.reviewers)
  where list_contains(may_sign, 'access_review')
),
-- each part by its best signature
parts as (
  select
    r.scope, r.period_end, r.part, r.parts, r.signed_at, r.reviewer,
    case
      when r.signed_at > r.period_end + 1 and p.person is not null and r.signed_sha256 = r.list_sha256 and regexp_full_match(r.list_sha256, '[0-9a-f]{64}') and r.decided >= r.listed then ''
      when p.person is null then 'reviewer-not-registered'
      when r.decided < r.listed then 'not-decided'
      when r.signed_at > r.period_end + 1 then 'list-changed'
      else 'signed-early'
    end as reason
  from register.access_reviews r
  cross join params c
  left join people p on p.person = r.reviewer and p.approved_on <= r.signed_at::date and p.expires > r.signed_at::date
  where r.signed_at < c.as_of
  qualify row_number() over (partition by r.scope, r.period_end, r.part order by reason = '' desc, r.signed_at desc, r.reviewer) = 1
),
scopes as (
  select
    scope, period_end, count(*) filter (where reason = '' and part between 1 and parts) as signed, max(parts) as parts, max(reason) as worst
  from parts
  group by all
),
decisions as (
  -- own is NULL if nobody entitled decided
  select d.*, list_contains(p.logins, d.holder) or list_contains(p.reports_to, d.holder) as own
  from register.access_decisions d
  cross join params c
  left join people p on p.person = d.reviewer and p.approved_on <= d.decided_at::date and p.expires > d.decided_at::date
  where d.decided_at < c.as_of
  qualify row_number() over (partition by d.period_end, d.system, d.holder, d.access order by d.decided_at desc) = 1
),
judged as (
  select
    p.item, p.kind, s.signed, s.parts, d.decision, d.decided_at, c.execute_days,
    case
      when s.signed >= s.parts then ''
      when not d.own and (d.decision = 'keep' or d.decided_at + to_days(c.execute_days::integer) >= c.as_of) then ''
      when p.kind = 'scope' and s.parts is null then 'not-signed'
      when p.kind = 'scope' then case when s.worst = '' then 'part-missing' else s.worst end
      when p.holder is null or p.access is null then 'unknown-value'
      when d.decision is null then 'no-decision'
      when d.own is null then 'reviewer-not-registered'
      when d.own then 'own-access'
      when d.decision = 'remove' then 'not-removed'
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
  left join scopes s on p.kind = 'scope' and s.scope = p.system and s.period_end = p.closed - 1
  left join decisions d on d.system = p.system and d.holder = p.holder and d.access = p.access and d.period_end = p.closed - 1
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when kind = 'scope' then if(parts is null, 'no signed review', signed || ' of ' || parts || ' part' || if(parts = 1, '', 's') || if(parts = 1, ' signed as it should be', ' signed as they should be'))
    else coalesce(decision || ' decided ' || strftime(decided_at, '%Y-%m-%d'), 'held, no decision')
      || case reason when 'own-access' then ' by the holder, or by somebody who reports to him' when 'reviewer-not-registered' then ' by somebody not registered for access reviews then' when 'not-removed' then ', still held' else '' end
  end as observed,
  case when kind = 'scope' then 'every part signed over the list on record' else 'decided by another, removed within ' || execute_days || ' day' || if(execute_days = 1, '', 's') || ' where so decided' end as expected
from judged
