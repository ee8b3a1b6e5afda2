with editions as (
  select
    p.name,
    bool_or(e.account_name is not null and list_contains(c.editions, upper(e.edition)) is not true) as wrong,
    count(e.account_name) > 0 as listed,
    bool_or(r.person is not null) as attested
  from population p
  cross join params c
  left join organization.accounts e on e.account_name = p.name
  left join register.attestations a
    on a.requirement = 'snowflake_edition' and a.statement = p.name and a.recorded_on <= c.night and a.recorded_on + to_months(c.max_months::integer) > c.night
  left join register.reviewers r on r.person = a.signed_by and list_contains(r.may_sign, 'attestation')
  group by all
),
judged as (
  select
    p.item, p.kind, v.baa_id, v.signed, v.expires, v.in_force, v.last_review, v.document_sha256, v.legal_reviewed_on, v.subcontractor_clause, v.breach_notice_days, c.max_months, c.notice_days, c.require_document, c.night,
    case
      when p.kind = 'account' then case
        when e.wrong then 'edition-not-contracted'
        when e.listed or e.attested then ''
        else 'edition-not-shown'
      end
      when v.baa_id is null or coalesce(v.signed > c.night, true) then 'no-agreement'
      when not v.in_force then 'agreement-expired'
      when c.require_document and (regexp_full_match(v.document_sha256, '[0-9a-f]{64}') is not true or coalesce(v.legal_reviewed_on > c.night, true)) then 'no-document'
      when v.subcontractor_clause is distinct from true then 'no-subcontractor-clause'
      when coalesce(v.breach_notice_days not between 1 and c.notice_days, true) then 'no-notice-days'
      when v.last_review <= c.night and v.last_review + to_months(c.max_months::integer) > c.night then ''
      else 'review-due'
    end as reason
  from population p
  cross join params c
  left join fact.vendor_systems v on v.system = p.name
  left join editions e on e.name = p.name
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when kind = 'account' then case reason when '' then 'an accepted edition' when 'edition-not-shown' then 'edition not shown' else 'another edition' end
    when baa_id is null then 'no agreement on record'
    else concat_ws('; ',
      'agreement ' || baa_id || coalesce(', signed ' || signed || if(signed > night, ', after the night', ''), ', not signed') || coalesce(if(in_force, ', ends ', ', ran out on ') || expires, ''),
      case when require_document and regexp_full_match(document_sha256, '[0-9a-f]{64}') is not true then 'no digest of the document' end,
      case when require_document then case when legal_reviewed_on > night then 'legal review after the night' when legal_reviewed_on is null then 'no legal review' end end,
      case when subcontractor_clause then null when not subcontractor_clause then 'does not bind subcontractors' else 'not stated whether it binds subcontractors' end,
      case when breach_notice_days between 1 and notice_days then null else coalesce('breach notice within ' || breach_notice_days || ' day' || if(breach_notice_days = 1, '', 's'), 'no time for breach notice') end,
      coalesce('reviewed ' || last_review, 'not reviewed')
    )
  end as observed,
  case when kind = 'account' then 'an edition contracted for PHI' else 'a signed agreement in force, on record, reviewed within ' || max_months || ' month' || if(max_months = 1, '', 's') end as expected
from judged
