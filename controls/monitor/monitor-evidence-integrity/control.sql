with judged as (
  select
    p.item, p.proved, p.failed, p.days_before, c.max_age_days,
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
  coalesce(proved, 0) || ' proved, ' || coalesce(failed, 0) || ' failed, ' || coalesce(days_before || ' day' || if(days_before = 1, '', 's') || ' before', 'at an unknown time') as observed,
  'nothing failed, checked within ' || max_age_days || ' day' || if(max_age_days = 1, '', 's') as expected
from judged
