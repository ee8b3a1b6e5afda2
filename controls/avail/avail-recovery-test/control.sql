-- A test without a time of performance counts as the latest: nobody can say that it is not. Of several at one time the worst or least known counts.
with tests as (
  select source, type, performed_at, rto_minutes, rpo_minutes, result, followups, json_extract(followups, '$[*]') as steps,
    row_number() over (partition by source, type order by coalesce(performed_at, timestamp '9999-01-01 00:00:00') desc, coalesce(result, ''), coalesce(rto_minutes, 1000000) desc, coalesce(rpo_minutes, 1000000) desc) as rank
  from records.tickets
  where status not in ('cancelled', 'rejected')
),
followed as (
  select t.*, coalesce(json_type(t.followups) in ('ARRAY', 'NULL'), true) as readable,
    json_array_length(t.followups) as followed,
    len(list_filter(t.steps, lambda f: json_extract_string(f, '$.closed_at') is null and not coalesce(try_cast(json_extract_string(f, '$.due') as timestamp) >= c.as_of, false))) as overdue
  from tests t
  cross join params c
  where t.rank = 1
),
judged as (
  select
    p.item, p.cadence, t.performed_at, t.rto_minutes, t.rpo_minutes, t.result, t.followed, t.overdue, c.rto_minutes as rto, c.rpo_minutes as rpo,
    case
      when t.performed_at between c.as_of - to_days(p.cadence::integer) and c.as_of and t.readable and coalesce(t.overdue, 0) = 0
        and ((t.result = 'passed' and t.rto_minutes <= c.rto_minutes and t.rpo_minutes <= c.rpo_minutes)
          or (t.result in ('passed', 'partial') and t.rto_minutes is not null and t.rpo_minutes is not null and t.followed > 0)) then ''
      when t.type is null then 'no-test'
      when t.performed_at < c.as_of - to_days(p.cadence::integer) then 'test-old'
      when t.result = 'failed' then 'test-failed'
      when t.overdue > 0 then 'followup-overdue'
      when t.performed_at <= c.as_of and t.readable and t.result is not null and t.rto_minutes is not null and t.rpo_minutes is not null then 'objective-missed'
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
  left join followed t on t.source = p.source and t.type = p.kind
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when reason = 'no-test' then 'none on record'
    else 'last on ' || coalesce(strftime(performed_at, '%Y-%m-%d'), 'an unknown day') || ', ' || coalesce(result, 'result not known') || ', back after ' || coalesce(rto_minutes || ' minute' || if(rto_minutes = 1, '', 's'), 'an unknown time')
      || ', lost ' || coalesce(rpo_minutes || ' minute' || if(rpo_minutes = 1, '', 's'), 'an unknown time') || ', ' || coalesce(followed, 0) || ' follow-up' || if(coalesce(followed, 0) = 1, '', 's') || ', ' || coalesce(overdue, 0) || ' past due'
  end as observed,
  'within ' || cadence || ' day' || if(cadence = 1, '', 's') || ', back within ' || rto || ' minute' || if(rto = 1, '', 's') || ', at most ' || rpo || ' minute' || if(rpo = 1, '', 's') || ' lost, gaps followed up in time' as expected
from judged
