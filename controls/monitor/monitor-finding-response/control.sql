with answers as (
  select
    p.item,
    count(distinct d.night) filter (d.night between p.first_seen and p.last_seen) as disposed,
    bool_or(d.disposition = 'confirmed') as confirmed
  from population p
  cross join params c
  left join register.dispositions d on d.control = p.control and d.item = p.what and d.recorded_at::date <= c.night
  group by p.item
),
looked_at as (
  select
    p.item, p.exception, p.standing_since, p.nights, p.waived, a.disposed, a.confirmed, c.night - p.standing_since as age, c.night - p.first_seen as age_of_reason, c.review_days,
    exists (
      select 1 from records.tickets t
      where t.finding_id in (p.control, p.control || '/' || p.what) and t.status in ('open', 'pending', 'approved', 'in_progress') and t.owner is not null
    ) as ticket,
    case p.severity when 'critical' then c.ack_days_critical when 'high' then c.ack_days_high end as ack_days,
    case p.severity when 'critical' then c.due_days_critical when 'high' then c.due_days_high when 'medium' then c.due_days_other when 'low' then c.due_days_other end as due_days
  from population p
  cross join params c
  join answers a on a.item = p.item
),
judged as (
  select
    *,
    case
      when due_days is null or age is null then 'unknown-value'
      when waived then ''
      when not exception and confirmed and not ticket then 'confirmed-without-ticket'
      when not exception and (disposed >= nights or age <= review_days) then ''
      when not exception then 'no-disposition'
      when age > due_days then 'overdue'
      when age > ack_days and not ticket and disposed = 0 then 'no-answer'
      when age <= due_days then ''
      else 'unknown-value'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when exception then 'exception' else 'hit' end || coalesce(' for ' || age || ' day' || if(age = 1, '', 's') || ', since ' || strftime(standing_since, '%Y-%m-%d'), '')
    || if(age_of_reason < age, ', for this reason ' || age_of_reason || ' day' || if(age_of_reason = 1, '', 's'), '') || case
    when waived then ', waived' when ticket then ', ticket' when disposed > 0 then ', decided' else ''
  end as observed,
  case
    when not exception then 'a disposition within ' || review_days || ' day' || if(review_days = 1, '', 's')
    when due_days is null then 'answered and closed within the time of its severity'
    else coalesce('answered within ' || ack_days || ' day' || if(ack_days = 1, '', 's') || ', ', '') || 'closed within ' || due_days || ' day' || if(due_days = 1, '', 's')
  end as expected
from judged
