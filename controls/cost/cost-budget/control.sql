with tags as (
  select distinct source, object_name as warehouse, lower(tag_name) as tag, lower(trim(tag_value)) as value
  from snowflake.tag_references
  where upper(domain) = 'WAREHOUSE' and object_deleted is null
),
carried as (
  select p.item, count(distinct t.tag) filter (where t.value <> '') as carried, count(*) filter (where t.tag = 'env' and not list_contains(c.environments, t.value)) as strange
  from population p
  cross join params c
  join tags t on t.source = p.source and t.warehouse = p.warehouse and list_contains(list_transform(c.required_tags, lambda r: lower(r)), t.tag)
  group by all
),
spent as (
  select p.item,
    case when count(*) = count(m.credits_used) and count(*) = count(m.start_time) then sum(m.credits_used) end as credits,
    sum(m.credits_used) filter (where m.night = c.night) as tonight
  from population p
  cross join params c
  join tags t on t.tag = 'domain' and t.value = lower(p.domain)
  join snowflake.warehouse_metering m on m.source = t.source and m.warehouse_name = t.warehouse
  group by all
),
tagged as (
  select distinct value as domain from tags where tag = 'domain'
),
looked_at as (
  select
    p.item, p.warehouse, p.domain, p.cap, coalesce(k.carried, 0) as carried, k.strange, len(c.required_tags) as required, g.domain is not null as tagged, n.nights, n.known, c.warn_percent, c.unusual_times,
    case when g.domain is not null then coalesce(s.credits, case when s.item is null then 0 end) end * c.usd_per_credit * 30 as pace,
    s.tonight * (n.nights - 1) > c.unusual_times * (s.credits - s.tonight) and n.nights > 3 as unusual
  from population p
  cross join params c
  cross join (select count(distinct night) as nights, count(*) = count(warehouse_name) as known from snowflake.warehouse_metering) n
  left join carried k on k.item = p.item
  left join tagged g on g.domain = lower(p.domain)
  left join spent s on s.item = p.item
),
judged as (
  select
    *,
    case
      when warehouse is not null then case when carried = required and strange = 0 then '' when carried < required then 'tag-missing' else 'tag-strange' end
      when known and nights > 0 and pace * 100 <= cap * nights * warn_percent and unusual is not true then ''
      when domain is null then 'unknown-value'
      when not tagged then 'no-warehouse'
      when pace > cap * nights then 'over-cap'
      when pace * 100 > cap * nights * warn_percent then 'near-cap'
      when unusual then 'unusual'
      else 'unknown-value'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' when reason in ('near-cap', 'unusual') then 'review' else 'fail' end as result,
  reason,
  case
    when warehouse is not null then carried || ' of ' || required || ' tag' || if(required = 1, '', 's')
    when pace is null or cap is null or cap * nights < 1 then 'not known'
    else (pace * 100)::decimal(38, 0)::bigint // (cap * nights)::decimal(38, 0)::bigint || ' percent of the cap at the pace of ' || nights || ' night' || if(nights = 1, '', 's')
  end as observed,
  case when warehouse is not null then 'each required tag, an agreed environment' else 'at most ' || warn_percent || ' percent of the cap, no night out of line' end as expected
from judged
