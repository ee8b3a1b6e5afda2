with looked_at as (
  select
    p.item, p.account, p.transient, p.rebuildable,
    case when p.account then try_cast(a.value as bigint) else p.retention_time end as days,
    case when p.account then c.floor_days when p.critical then c.min_days_critical else c.min_days_other end as least
  from population p
  cross join params c
  left join snowflake.parameters a on a.source = p.source and a.key = 'MIN_DATA_RETENTION_TIME_IN_DAYS'
),
judged as (
  select
    *,
    case
      when (account or transient = 'NO') and days >= least then ''
      when transient = 'YES' and rebuildable then ''
      when account and days < least then 'floor-low'
      when transient = 'YES' then 'transient'
      when transient = 'NO' and days < least then 'retention-short'
      else 'unknown-value'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case transient when 'YES' then 'transient, ' when 'NO' then 'permanent, ' else '' end || coalesce(days || ' day' || if(days = 1, '', 's'), 'days not known') as observed,
  'at least ' || least || ' day' || if(least = 1, '', 's') || case when account then ' for each table' when rebuildable then ', or built again' else ', permanent' end as expected
from judged
