with newest as (
  select a.*, r.person is not null as entitled
  from register.attestations a
  cross join params c
  left join (select * from register.reviewers union all select * from register_expired.reviewers) r
    on r.person = a.signed_by and list_contains(r.may_sign, 'attestation') and r.approved_on <= a.recorded_on and r.expires > a.recorded_on
  where a.recorded_on <= c.night
  qualify row_number() over (partition by a.requirement order by a.recorded_on desc, a.signed_by is not null desc, a.statement) = 1
),
trained as (
  select t.source, t.person_id, lower(t.course) as course, max(t.completed_at) as completed_at
  from records.training t
  cross join params c
  where t.status = 'completed' and coalesce(t.expires_at > c.as_of, true)
  group by all
),
judged as (
  select
    p.item, p.requirement, a.recorded_on, a.next_due, a.signed_by, a.entitled, a.effective_on, a.document_uri, a.document_version, a.document_sha256, t.completed_at, c.due_months, c.training_months, c.night,
    case
      when t.completed_at > c.as_of - to_months(c.training_months::integer) then ''
      when a.entitled and a.document_uri is not null and a.document_version is not null and regexp_full_match(a.document_sha256, '[0-9a-f]{64}')
        and a.effective_on <= c.night and a.recorded_on + to_months(c.due_months::integer) > c.night and coalesce(a.next_due > c.night, true) then ''
      when p.requirement is null then case when p.person_id is null then 'unknown-value' else 'not-trained' end
      when a.recorded_on is null then 'no-record'
      when a.signed_by is null then 'changed-after-signature'
      when not a.entitled then 'signer-not-registered'
      when a.effective_on > c.night then 'not-in-force'
      when a.next_due <= c.night or a.recorded_on + to_months(c.due_months::integer) <= c.night then 'overdue'
      else 'no-document'
    end as reason
  from population p
  cross join params c
  left join newest a on a.requirement = p.requirement
  left join trained t on t.source = p.source and t.person_id = p.person_id and t.course = lower(p.course)
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when requirement is null then coalesce('completed ' || strftime(completed_at, '%Y-%m-%d'), 'not completed, or run out')
    when recorded_on is null then 'no record'
    else concat_ws(', ',
      'recorded ' || recorded_on,
      'next due ' || next_due,
      case when signed_by is null then 'not signed' when not entitled then 'signed by somebody who was not registered for attestations then' end,
      case when effective_on > night then 'in force from ' || effective_on end,
      case when document_uri is null then 'no link to the document' end,
      case when document_version is null then 'no version of the document' end,
      case when regexp_full_match(document_sha256, '[0-9a-f]{64}') is not true then 'no digest of the document' end
    )
  end as observed,
  case when requirement is null then 'completed within ' || training_months || ' month' || if(training_months = 1, '', 's') else 'a signed record of a document in force, not older than ' || due_months || ' month' || if(due_months = 1, '', 's') end as expected
from judged
