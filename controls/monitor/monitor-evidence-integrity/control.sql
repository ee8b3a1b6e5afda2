with judged as (
  select
    p.item, p.made, p.proved, p.failed, p.checked_at, p.days_before, c.max_age_days,
    case
      when p.failed > 0 then 'step-failed'
      when list_contains(c.required_steps, p.step) and p.proved = 0 then 'not-made'
      when p.days_before > c.max_age_days then 'check-old'
      when p.failed = 0 and p.proved >= 0 and p.days_before <= c.max_age_days then ''
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  if(made, coalesce(proved::varchar, 'an unknown number') || ' proved, ' || coalesce(failed::varchar, 'an unknown number') || ' failed' || if(reason = 'not-made', ': nothing was proved', ''), 'the check has no such step') || coalesce(', checked ' || strftime(checked_at, '%Y-%m-%d'), '') || coalesce(', ' || days_before || if(days_before = 1, ' day', ' days') || ' before the night was judged', ', at an unknown time') as observed,
  'made, nothing failed, checked within ' || max_age_days || ' day' || if(max_age_days = 1, '', 's') || ' before the night was judged' as expected
from judged
