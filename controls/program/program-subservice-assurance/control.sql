with newest as (
  select r.*, p.person is not null as entitled
  from register.subservice_reports r
  cross join params c
  left join (select * from register.reviewers union all select * from register_expired.reviewers) p
    on p.person = r.reviewer and list_contains(p.may_sign, 'attestation') and p.approved_on <= r.reviewed_on and p.expires > r.reviewed_on
  where r.reviewed_on <= c.night
  qualify row_number() over (partition by r.system order by r.period_end desc, r.reviewed_on desc, r.report) = 1
),
judged as (
  select
    p.item, r.report, r.period_end, r.gap_letter_until, r.qualified, r.qualification_response, r.duties, r.duties_mapped, r.document_sha256, r.reviewer, r.reviewed_on, r.entitled, c.accepted, c.max_months,
    case
      when r.report is null then 'no-report'
      when not list_contains(c.accepted, r.report) then 'kind-not-accepted'
      when r.period_end + to_months(c.max_months::integer) <= c.night then 'outdated'
      when r.period_end + c.bridge_days::integer < c.night and coalesce(r.gap_letter_until < c.night, true) then 'gap-not-bridged'
      when r.qualified and r.qualification_response is null then 'no-response'
      when len(r.duties_mapped) < r.duties then 'duties-not-mapped'
      when not regexp_full_match(r.document_sha256, '[0-9a-f]{64}') then 'no-document'
      when not r.entitled then 'reviewer-not-registered'
      when r.period_end <= r.reviewed_on then ''
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
  left join newest r on r.system = p.system
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when report is null then 'no report'
    else concat_ws('; ',
      case report
        when 'soc2_type2' then 'SOC 2 type 2' when 'soc2_type1' then 'SOC 2 type 1' when 'soc1_type2' then 'SOC 1 type 2' when 'hitrust_r2' then 'HITRUST r2' when 'hitrust_i1' then 'HITRUST i1'
        when 'iso27001' then 'ISO 27001' else 'a report of another kind'
      end || if(list_contains(accepted, report), '', ', not accepted') || coalesce(', up to ' || strftime(period_end, '%Y-%m-%d'), ', its period not known'),
      case when gap_letter_until is null then 'no gap letter' else 'gap letter up to ' || strftime(gap_letter_until, '%Y-%m-%d') end,
      case when qualified then case when qualification_response is null then 'reservations without a response' else 'reservations, answered' end when qualified is null then 'reservations not known' end,
      case when duties > 0 then coalesce(len(duties_mapped), 0) || ' of ' || duties || if(duties = 1, ' duty', ' duties') || ' assigned' end,
      case when regexp_full_match(document_sha256, '[0-9a-f]{64}') is not true then 'no digest' end,
      'read ' || strftime(reviewed_on, '%Y-%m-%d') || coalesce(' by ' || reviewer, '') || if(reviewed_on < period_end, ', before its period was over', '') || if(entitled, '', ', not registered for attestations then')
    )
  end as observed,
  'a report of the last ' || max_months || ' month' || if(max_months = 1, '', 's') || ', read, its duties assigned' as expected
from judged
