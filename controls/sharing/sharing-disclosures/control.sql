with entered as (
  select flow, target, product, max(last_on) as last_on from population where recurring group by all
),
judged as (
  select
    p.item, p.kind, p.product, p.legal_basis, coalesce(p.last_on, e.last_on) as last_on, p.recorded_on, p.disclosed_on, p.recurring, p.frequency, p.keep_until, c.update_days, c.record_days, c.keep_years,
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
  case
    when kind = 'flow' then if(product is null, 'no contract covers it', coalesce('basis ' || replace(legal_basis, '_', ' '), 'no basis') || case when last_on is not null then ', accounted for up to ' || last_on when reason = '' then '' else ', no entry accounts for it' end)
    else concat_ws(', ',
      if(recurring, 'first disclosed ', 'disclosed ') || coalesce(disclosed_on::varchar, 'on an unknown day'),
      case when recurring then coalesce('last on ' || last_on, 'last day not stated') end,
      case when recurring then coalesce('how often: ' || frequency, 'how often not stated') end,
      'recorded ' || recorded_on,
      'kept until ' || coalesce(keep_until::varchar, 'an unknown day')
    )
  end as observed,
  case when kind = 'flow' then 'a basis without accounting, or an entry of the last ' || update_days || ' day' || if(update_days = 1, '', 's')
    else 'recorded within ' || record_days || ' day' || if(record_days = 1, '', 's') || ', kept for ' || keep_years || ' years' end as expected
from judged
