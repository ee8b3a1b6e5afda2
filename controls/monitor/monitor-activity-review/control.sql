with people as (
  select person, may_sign, approved_on, expires, list_transform(list_concat(logins, [person]), lambda login: upper(login)) as names
  from (select * from register.reviewers union all select * from register_expired.reviewers)
),
admins as (
  select * from register.admins union all select * from register_expired.admins
),
judged as (
  select
    p.item, p.closed, c.review_days, r.reviewer, r.signed_at,
    max(r.hits) over (partition by p.item) as hits,
    r.disposed,
    r.signed_at >= p.closed as after_close,
    list_contains(w.may_sign, p.record_type) as entitled,
    list_has_any(w.names, list_transform(r.subjects, lambda login: upper(login))) or (
      p.record_type = 'privileged_change'
      and exists (select 1 from admins a where list_contains(w.names, upper(a."user")) and a.approved_on < p.closed and a.expires > p.first_day)
    ) as concerned,
    r.procedure is not null and r.procedure_version is not null and regexp_full_match(r.procedure_sha256, '[0-9a-f]{64}') as by_procedure
  from population p
  cross join params c
  left join register.activity_reviews r
    on r.system = p.system and r.record_type = p.record_type and r.interval_start <= p.first_day and r.interval_end >= p.closed - 1 and r.signed_at < c.as_of
  left join people w on w.person = r.reviewer and w.approved_on <= r.signed_at::date and w.expires > r.signed_at::date
),
reasoned as (
  select
    *,
    case
      when after_close and entitled and not concerned and disposed >= hits and by_procedure then ''
      when signed_at is null then 'not-signed'
      when not after_close then 'signed-early'
      when entitled is distinct from true then 'reviewer-not-registered'
      when concerned then 'reviewer-is-subject'
      when disposed < hits then 'items-open'
      when by_procedure is distinct from true then 'procedure-missing'
      else 'unknown-value'
    end as reason
  from judged
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when signed_at is null then 'no signed review'
    else 'signed ' || strftime(signed_at, '%Y-%m-%d') || case when signed_at >= closed + review_days::integer then ', late' else '' end || if(hits = 0, ', no hits', ', ' || disposed || ' of ' || hits || ' hit' || if(hits = 1, '', 's') || ' disposed of')
      || case reason when 'procedure-missing' then ', its procedure not named by version and digest' when 'reviewer-is-subject' then ', by somebody whose own activity it is' when 'reviewer-not-registered' then ', by somebody not registered for it then' else '' end
  end as observed,
  'signed from ' || strftime(closed, '%Y-%m-%d') || ' and before ' || strftime(closed + review_days::integer, '%Y-%m-%d') as expected
from reasoned
qualify row_number() over (partition by item order by reason = '' desc, signed_at desc, reviewer) = 1
