with looked_at as (
  select
    p.item, p.monitor, p.known, m.name is not null as seen, c.max_suspend, c.max_notify,
    try_cast(m.credit_quota as decimal(18, 2)) as quota,
    least(try_cast(regexp_extract(m.suspend_at, '\d+') as bigint), try_cast(regexp_extract(m.suspend_immediately_at, '\d+') as bigint)) as suspend,
    list_min(list_transform(regexp_extract_all(m.notify_at, '\d+'), lambda x: x::bigint)) as notify
  from population p
  cross join params c
  left join snowflake.resource_monitors_show m on m.source = p.source and m.name = p.monitor
),
judged as (
  select
    *,
    case
      when quota > 0 and suspend <= max_suspend and notify <= max_notify and notify < suspend then ''
      when monitor is null and known then 'no-monitor'
      when not seen then 'unknown-value'
      when coalesce(quota, 0) <= 0 then 'no-quota'
      when suspend is null or suspend > max_suspend then 'no-suspend'
      else 'no-notice'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  coalesce(monitor, 'no monitor') || case when seen then ', quota ' || coalesce(quota::text, 'none') || ', ' || coalesce('first notice at ' || notify || ' percent', 'no notice') || ', ' || coalesce('suspends at ' || suspend || ' percent', 'never suspends') else '' end as observed,
  'a quota, notice by ' || max_notify || ' percent and before suspending, suspended by ' || max_suspend || ' percent' as expected
from judged
