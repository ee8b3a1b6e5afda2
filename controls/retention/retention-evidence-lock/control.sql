-- one account may be captured by two sources: the weakest word counts
with seen as (
  select
    account, bucket, count(*) as captures, count(enabled) as told, bool_and(enabled) as enabled,
    count(default_mode) as modes, bool_and(default_mode in ('GOVERNANCE', 'COMPLIANCE')) as has_default, bool_and(default_mode = 'COMPLIANCE') as compliance,
    count(coalesce(default_days, default_years)) as times, min(coalesce(default_days, default_years * 365)) as days
  from aws.s3_object_lock
  group by account, bucket
),
judged as (
  select
    p.item, s.enabled, s.days, s.compliance, c.required_days,
    case
      when not p.live then 'registration-expired'
      when s.bucket is null then 'not-seen'
      when s.told < s.captures then 'unknown-value'
      when not s.enabled then 'lock-off'
      when s.modes < s.captures then 'unknown-value'
      when not s.has_default then 'no-default'
      when not s.compliance and not c.accept_governance then 'governance'
      when s.times < s.captures then 'unknown-value'
      when s.days < c.required_days then 'too-short'
      when s.days >= c.required_days then ''
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
  left join seen s on s.account = p.account and s.bucket = p.bucket
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when enabled then coalesce(days || ' day' || if(days = 1, '', 's'), 'no default time') || case when compliance then ', COMPLIANCE' else '' end
    when not enabled then 'no lock'
    else 'not known'
  end as observed,
  'locked for ' || required_days || ' day' || if(required_days = 1, '', 's') || ' in mode COMPLIANCE' as expected
from judged
