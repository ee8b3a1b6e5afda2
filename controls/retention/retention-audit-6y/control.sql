with judged as (
  select
    p.*, c.max_age_days,
    case
      when p.expected = 0 then 'no-record'
      when p.sealed < p.expected then 'month-short'
      when p.complete < p.sealed then 'not-whole'
      when p.read_back < p.sealed then 'not-read-back'
      when p.days_before > c.max_age_days then 'check-old'
      when p.sealed >= p.expected and p.complete >= p.sealed and p.read_back >= p.sealed and p.days_before <= c.max_age_days then ''
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  if(expected = 0, 'the check lists no month of it', coalesce(sealed, 0) || ' of ' || coalesce(expected::varchar, '?') || ' nights sealed; of these ' || coalesce(complete, 0) || ' whole, ' || coalesce(read_back, 0) || ' read back' || if(days_before > max_age_days, ', checked ' || days_before || ' days before the night was judged', '')) as observed,
  'every night sealed, whole and read back within ' || max_age_days || ' day' || if(max_age_days = 1, '', 's') as expected
from judged
