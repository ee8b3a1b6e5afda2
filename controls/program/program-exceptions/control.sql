with latest as (
  select f.control, f.severity, f.version, f.status from ops.findings f where f.status <> 'missing'
  qualify row_number() over (partition by f.control order by f.night desc) = 1
),
used as (
  select p.item, count(distinct i.item) as uses
  from population p
  join ops.items i on i.control = p.control and list_contains(p.items, i.item)
  cross join params c
  where c.night - i.last_seen <= c.unused_days
  group by p.item
),
looked_at as (
  select
    p.*, f.control as known, f.version as now_at, f.severity, c.night, c.unused_days, c.max_items, c.record_days,
    split_part(p.control_version, '.', 1) = split_part(f.version, '.', 1) as same_version,
    case f.severity when 'critical' then c.max_days_critical when 'high' then c.max_days_high when 'medium' then c.max_days_medium when 'low' then c.max_days_low end as max_days,
    m.status as compensation, coalesce(u.uses, 0) as uses
  from population p
  cross join params c
  left join latest f on f.control = p.control
  left join latest m on m.control = p.compensating_control
  left join used u on u.item = p.item
),
judged as (
  select
    *,
    case
      when not live then 'expired-and-needed'
      when known is null then 'unknown-control'
      when lower(trim(requested_by)) = lower(trim(approved_by)) then 'self-approved'
      when recorded_at::date - approved_on > record_days then 'recorded-late'
      when len(items) = 0 or array_to_string(items, chr(10)) || chr(10) like '%*' || chr(10) || '%' then 'not-exact'
      when len(items) > max_items then 'too-many-items'
      when expires - approved_on > max_days then 'too-long'
      when same_version is not true then 'control-changed'
      when severity in ('critical', 'high') and compensating_control is null then 'no-compensation'
      when compensating_control is not null and compensation is distinct from 'satisfied' then 'compensation-not-shown'
      when uses = 0 and night - approved_on > unused_days then 'unused'
      when expires - approved_on <= max_days then ''
      else 'unknown-value'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  concat_ws('; ',
    control || ', ' || len(items) || ' item' || if(len(items) = 1, '', 's') || if(len(items) > max_items, ', more than ' || max_items, ''),
    case when array_to_string(items, chr(10)) || chr(10) like '%*' || chr(10) || '%' then 'an item ends in a wildcard' end,
    'approved ' || approved_on || if(recorded_at::date - approved_on > record_days, ', recorded ' || strftime(recorded_at, '%Y-%m-%d') || ', later than agreed', ''),
    case when lower(trim(requested_by)) = lower(trim(approved_by)) then 'asked for and approved by one person' end,
    if(live, 'until ', 'ran out on ') || expires || if(expires - approved_on > max_days, ', more than ' || max_days || ' days after the approval', ''),
    case when known is null then 'the control was not assessed on the nights before' when same_version is not true then 'approved for version ' || control_version || ' of the control, which is now ' || now_at end,
    case
      when compensating_control is null then if(severity in ('critical', 'high'), 'no compensating control', null)
      when compensation is distinct from 'satisfied' then 'compensating control ' || compensating_control || ' was ' || coalesce(replace(compensation, '-', ' '), 'not assessed')
    end,
    case when uses = 0 then 'nothing it names failed' else uses || ' failed' end || ' within ' || unused_days || ' day' || if(unused_days = 1, '', 's')
  ) as observed,
  'exact, approved by another, ending in time, compensated, in use' as expected
from judged
