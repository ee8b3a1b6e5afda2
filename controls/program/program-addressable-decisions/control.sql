with newest as (
  select a.*
  from register.addressable_decisions a
  cross join params c
  where a.decided_on <= c.night
  qualify row_number() over (partition by a.specification order by a.decided_on desc, a.decision desc, a.decided_by) = 1
),
judged as (
  select
    p.item, a.decision, a.decided_on, a.decided_by, c.due_months,
    case
      when a.decision is null then 'not-decided'
      when a.review_due <= c.night or a.decided_on + to_months(c.due_months::integer) <= c.night then 'overdue'
      when a.document_uri is null or regexp_full_match(a.document_sha256, '[0-9a-f]{64}') is not true then 'no-document'
      when a.decision = 'implemented' then case when len(a.controls) > 0 then '' else 'no-controls' end
      when a.reasoning is null then 'no-reasoning'
      when a.decision = 'not_reasonable' then ''
      when a.alternative is null then 'no-alternative'
      when a.decision = 'alternative' then ''
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
  left join newest a on a.specification = p.specification
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  coalesce(decision || ', decided ' || strftime(decided_on, '%Y-%m-%d') || ' by ' || decided_by, 'no decision') as observed,
  'a documented decision of the last ' || due_months || ' month' || if(due_months = 1, '', 's') as expected
from judged
