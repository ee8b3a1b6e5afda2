with clocks as (
  select
    p.*, c.*, c.as_of::date as on_day,
    case when p.delayed_until > p.since + 60 then p.delayed_until else p.since + 60 end as day_60,
    date_trunc('year', p.since)::date + interval 1 year + interval 60 day as yearly,
    list_max(map_values(p.residents)) as most,
    p.individuals - coalesce(list_sum(map_values(p.residents)), 0) as not_placed
  from population p
  cross join params c
),
timed as (
  select
    *,
    case
      when covered_entity and coalesce(told_individuals, on_day) > day_60 then 'individuals-late'
      when covered_entity and coalesce(told_hhs, on_day) > case when individuals >= 500 then day_60 else yearly end then 'hhs-late'
      when covered_entity and most > 500 and coalesce(told_media, on_day) > day_60 then 'media-late'
      when business_associate and coalesce(told_entity, on_day) > since + contract_days::integer then 'entity-late'
      else ''
    end as late
  from clocks
),
judged as (
  select
    *,
    case
      when since is null then 'unknown-value'
      when phi = 'no' then ''
      when phi = 'unknown' then case when on_day <= since + triage_days::integer then '' else 'not-triaged' end
      when phi is distinct from 'yes' then 'unknown-value'
      when decision = 'exception' then ''
      when decision = 'low_probability' then case when factors then '' else 'factor-missing' end
      when decision is distinct from 'breach' then 'assessment-open'
      when late <> '' then late
      when individuals > 0 and not_placed <= 500 then ''
      else 'unknown-value'
    end as reason
  from timed
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  'PHI ' || coalesce(phi, 'not stated') || ', ' || coalesce(decision, 'not decided') || ', ' || coalesce(individuals || ' individuals, ', '')
    || coalesce('most in one State ' || most || ', ', '') || 'day ' || coalesce((on_day - since)::varchar, 'unknown') as observed,
  'triage within ' || triage_days || ' day' || if(triage_days = 1, '', 's') || ', a decision where PHI is involved, notices by ' || coalesce(strftime(day_60, '%Y-%m-%d'), 'day 60') as expected
from judged
