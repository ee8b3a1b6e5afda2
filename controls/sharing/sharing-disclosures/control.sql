with entered as (
  select flow, target, product, max(last_on) as last_on from population where recurring group by all
),
judged as (
  select
    p.item, p.kind, p.legal_basis, coalesce(p.last_on, e.last_on) as last_on, p.recorded_on, c.update_days, c.record_days, c.keep_years,
    case
      when p.exempt then ''
      when p.kind = 'flow' then case
        when p.product is null then 'no-contract'
        when e.last_on + c.update_days::integer >= c.night then ''
        when e.last_on is null then 'not-recorded'
        else 'outdated'
      end
      when p.recurring and (p.last_on is null or p.frequency is null) then 'no-frequency'
      when p.recorded_on > p.disclosed_on + c.record_days::integer and not p.recurring then 'recorded-late'
      when p.keep_until < case when p.last_on > p.disclosed_on then p.last_on else p.disclosed_on end + to_years(c.keep_years::integer) then 'kept-too-short'
      when p.kind = 'entry' then ''
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
  left join entered e on e.flow = p.flow and e.target = p.target and e.product = p.product
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when kind = 'flow' then coalesce('basis ' || legal_basis, 'no basis') || coalesce(', accounted for up to ' || strftime(last_on, '%Y-%m-%d'), '')
    else 'recorded ' || strftime(recorded_on, '%Y-%m-%d') end as observed,
  case when kind = 'flow' then 'a basis without accounting, or an entry of the last ' || update_days || ' day' || if(update_days = 1, '', 's')
    else 'recorded within ' || record_days || ' day' || if(record_days = 1, '', 's') || ', kept for ' || keep_years || ' years' end as expected
from judged
