-- 0 in order, 1 may still be approved, 2 closed without outcome, 3 approved late, 4 approved by the requester or nobody
with records as (
  select
    p.item,
    min(case
      when t.status in ('resolved', 'closed') and coalesce(trim(t.outcome), '') = '' then 2
      when t.emergency and t.approved_at is null and p.until <= t.window_end + to_days(c.retro_days) then 1
      when t.approver is null or t.requester is null or t.approver = t.requester or t.approved_at is null then 4
      when t.approved_at <= t.window_start then 0
      when t.emergency and t.approved_at <= t.window_end + to_days(c.retro_days) then 0
      else 3
    end) as rank
  from population p
  cross join params c
  join records.tickets t
    on t.type = 'change' and t.status not in ('rejected', 'cancelled') and list_contains(p.cis, t.ci) and t.window_start <= p.until and t.window_end >= p.since
  group by all
)
select
  p.item,
  case when p.what is null and p.since is not null then 'pass' when r.rank = 0 then 'pass' when p.what is null or r.rank = 1 then 'review' else 'fail' end as result,
  case
    when p.what is null and p.since is not null then ''
    when p.what is null then 'nothing-to-compare'
    when r.rank = 0 then '' when r.rank = 1 then 'approval-due' when r.rank = 2 then 'closed-without-result' when r.rank = 3 then 'approved-late' when r.rank = 4 then 'self-approved'
    else 'no-record'
  end as reason,
  case when p.since is null then 'captured at ' || strftime(p.until, '%Y-%m-%d %H:%M') || ', no earlier capture to compare with' else
    coalesce(replace(replace(p.what, '-retyped', ' of another type'), '-', ' ') || ', ', 'no change to a served object that needs a record, ') || 'between ' || strftime(p.since, '%Y-%m-%d %H:%M') || ' and ' || strftime(p.until, '%Y-%m-%d %H:%M')
    || case r.rank when 1 then ', an emergency not approved yet' when 2 then ', the record closed without an outcome' when 3 then ', the record approved late' when 4 then ', the record approved by its requester or by nobody' else '' end
  end as observed,
  'a change record, approved before its window' as expected
from population p
left join records r on r.item = p.item
