with judged as (
  select
    *,
    case
      when not collected then 'not-collected'
      when status in ('missing', 'denied', 'unavailable', 'incomplete') then status
      when status = 'edition' and excused then ''
      when status = 'edition' then 'not-on-edition'
      when status <> 'complete' then 'unknown-value'
      when not whole then 'incomplete'
      when not ripe then 'read-too-early'
      when landed = 0 and grounded is not true then 'empty'
      when whole and ripe and grounded then ''
      else 'unknown-value'
    end as reason
  from population
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when not collected then 'not collected' else status || coalesce(', ' || landed || ' row' || if(landed = 1, '', 's'), '') end as observed,
  'sealed as complete, read in time' as expected
from judged
