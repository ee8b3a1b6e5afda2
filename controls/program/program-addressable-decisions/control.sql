with newest as (
  select a.*
  from register.addressable_decisions a
  cross join params c
  where a.decided_on <= c.night
  qualify row_number() over (partition by a.specification order by a.decided_on desc, a.decision desc, a.decided_by) = 1
),
judged as (
  select
    p.item, a.decision, a.decided_on, a.decided_by, a.review_due, a.document_uri, a.document_sha256, a.controls, a.reasoning, a.alternative, c.due_months, c.night,
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
  case
    when decision is null then 'no decision'
    else concat_ws('; ',
      replace(decision, '_', ' ') || ', decided ' || strftime(decided_on, '%Y-%m-%d') || ' by ' || decided_by,
      'review was due ' || case when review_due <= night then strftime(review_due, '%Y-%m-%d') end,
      case when document_uri is null then 'no link to the assessment' end,
      case when regexp_full_match(document_sha256, '[0-9a-f]{64}') is not true then 'no digest of the assessment' end,
      case when decision = 'implemented' and coalesce(len(controls), 0) = 0 then 'no control is named' end,
      case when decision <> 'implemented' and reasoning is null then 'no reasoning' end,
      case when decision = 'alternative' and alternative is null then 'nothing is said of what is done instead' end
    )
  end as observed,
  'a documented decision of the last ' || due_months || ' month' || if(due_months = 1, '', 's') as expected
from judged
