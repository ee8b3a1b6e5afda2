-- Duo enrolments are missing from CREDENTIALS, so HAS_MFA decides; CREDENTIALS only tells a factor that was never confirmed.
with factors as (
  select source, user_name, bool_and(upper(status) = 'PENDING') as all_pending
  from snowflake.credentials
  where upper(domain) = 'MFA_METHOD'
  group by all
),
looked_at as (
  select
    p.item, p.has_mfa, p.bypass_mfa_until, p.created_on,
    p.bypass_mfa_until > c.as_of as bypassed,
    coalesce(f.all_pending, false) and p.ext_authn_duo is distinct from true and not c.count_pending as pending,
    coalesce(p.created_on > c.as_of - to_hours(c.grace_hours) and p.created_on <= c.as_of, false) as fresh
  from population p
  cross join params c
  left join factors f on f.source = p.source and f.user_name = p.user_name
),
judged as (
  select
    *,
    case
      when fresh or (has_mfa and not pending and not coalesce(bypassed, false)) then ''
      when has_mfa is null then 'unknown-value'
      when not has_mfa then 'no-second-factor'
      when pending then 'pending-factor'
      else 'bypass-open'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  'second factor ' || case when has_mfa then 'enrolled' when not has_mfa then 'not enrolled' else 'not known' end
    || case when pending then ', pending' else '' end
    || case when bypassed then ', bypass until ' || strftime(bypass_mfa_until, '%Y-%m-%d %H:%M') else '' end
    || ', created ' || coalesce(strftime(created_on, '%Y-%m-%d %H:%M'), 'at an unknown time') as observed,
  'a second factor enrolled and no bypass open' as expected
from judged
