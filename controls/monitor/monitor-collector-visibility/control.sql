with judged as (
  select
    *,
    case
      when status = 'edition' then ''
      when status in ('missing', 'denied', 'unavailable') then 'not-read'
      when status not in ('complete', 'incomplete') or status is null then 'unknown-value'
      when not asked then 'not-asked'
      when not visible then 'not-visible'
      when not whole then 'at-cap'
      when visible is null and landed = 0 and shown_empty is not true then 'nothing-shown'
      when visible is null and landed >= 0 then ''
      when columns_missing > 0 then 'columns-missing'
      when roles_needed > 0 and roles_held = 0 then 'no-role'
      when probed is not true then 'probe-unseen'
      when columns_missing = 0 and (roles_needed = 0 or roles_held > 0) and landed >= 0 then ''
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
    else coalesce(landed || ' row' || if(landed = 1, '', 's'), 'no rows known') || coalesce(', ' || if(roles_needed > 0, roles_held || ' of ' || roles_needed || ' role' || if(roles_needed = 1, '', 's') || ' held', 'no role needed'), '')
  end as observed,
  'seen by the collecting role' as expected
from judged
