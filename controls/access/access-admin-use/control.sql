with judged as (
  select
    *,
    case
      when reads = 0 and not service and uncovered = 0 and unclear = 0 then ''
      when reads > 0 then 'phi-read'
      when service then 'service-admin'
      when uncovered > 0 then 'no-request'
      else 'unknown-value'
    end as reason
  from population
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when session then statements || ' statement' || if(statements = 1, '', 's') || ', ' || uncovered || ' without a request, ' || reads || ' reading PHI, ' || unclear || ' not known'
    else statements || ' statement' || if(statements = 1, '', 's') || ', ' || unclear || ' without a user or role'
  end as observed,
  case when session then 'routine, or within an approved request; PHI left alone' else 'every statement with user and role' end as expected
from judged
