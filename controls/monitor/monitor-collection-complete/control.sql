with judged as (
  select
    *,
    case
      when status = 'edition' then ''
      when status in ('missing', 'denied', 'unavailable', 'incomplete') then status
      when status is distinct from 'complete' then 'unknown-value'
      when not whole then 'incomplete'
      when on_time is not true then 'not-on-time'
      when hollow then 'empty'
      when whole and not hollow then ''
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
    when status = 'missing' then 'nothing sealed'
    else coalesce(status, 'unknown') || coalesce(', ' || format('{:,}', landed) || ' row' || if(landed = 1, '', 's'), '')
      || coalesce(', ' || format('{:,}', quarantined) || ' set aside', '') || coalesce(', captured ' || strftime(captured_at, '%Y-%m-%d %H:%M'), '')
      || if(source_rows <> arrived, ', the source has ' || format('{:,}', source_rows), '') || coalesce(': ' || nullif(replace(replace(if(length(why) > 300, coalesce(nullif(regexp_extract(left(why, 300), '^(.*); ', 1), ''), regexp_replace(left(why, 300), '[ ,;:]+[^ ]*$', '')) || '; and more', why), ' non_null ', ' values that are not empty '), ' length_sum ', ' total length '), ''), '')
  end as observed,
  'sealed, complete, in time' as expected
from judged
