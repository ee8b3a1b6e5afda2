-- one account may be captured by two sources: the weakest word counts
with seen as (
  select
    account, bucket, count(*) as captures, count(enabled) as told, bool_and(enabled) as enabled,
    count(default_mode) as modes, string_agg(distinct default_mode, ' and ' order by default_mode) as mode_names, bool_and(default_mode in ('GOVERNANCE', 'COMPLIANCE')) as has_default, bool_and(default_mode = 'COMPLIANCE') as compliance,
    count(coalesce(default_days, default_years)) as times, min(coalesce(default_days, default_years * 365)) as days
  from aws.s3_object_lock
  group by account, bucket
),
judged as (
  select
    p.item, p.live, s.bucket is not null as seen, s.enabled, s.days, s.mode_names, c.required_days, c.accept_governance,
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
  if(live, '', 'registration of the bucket ran out; ') || case
    when enabled then case
      when mode_names is null then 'default mode not known'
      when mode_names = 'unset' then 'lock on, no default'
      else 'default mode ' || replace(mode_names, 'unset', 'none')
    end || if(mode_names = 'unset', '', ', ' || coalesce(format('{:,}', days) || ' day' || if(days = 1, '', 's'), 'no default time'))
    when not enabled then 'no lock'
    when seen then 'whether it is locked is not known'
    else 'no capture shows the bucket'
  end as observed,
  'locked for at least ' || format('{:,}', required_days) || ' day' || if(required_days = 1, '', 's') || ' in mode COMPLIANCE' || if(accept_governance, ' or GOVERNANCE', '') as expected
from judged
