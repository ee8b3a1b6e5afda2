with judged as (
  select
    *,
    case
      when status = 'edition' then ''
      when status in ('missing', 'denied', 'unavailable', 'incomplete') then status
      when status = 'complete' and whole and not on_time then 'not-on-time'
      when status = 'complete' and whole and on_time is null then 'not-on-time'
      when status = 'complete' and whole and hollow then 'empty'
      when status = 'complete' and whole and not hollow then ''
      when status = 'complete' and not whole then 'incomplete'
      else 'unknown-value'
    end as reason
  from population
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when status = 'edition' then 'not on this edition'
    else coalesce(status, 'unknown') || coalesce(', ' || landed || ' rows', '')
  end as observed,
  'sealed, complete, in time' as expected
from judged
