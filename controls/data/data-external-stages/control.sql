with places as (
  select url, holds, direction, agreement, true as in_force from register.locations
  union all
  select url, holds, direction, agreement, false from register_expired.locations
),
matched as (
  select
    p.item, bool_or(l.in_force) as in_force, bool_or(l.in_force and l.agreement is not null) as agreed,
    bool_and(l.holds = 'other' and l.direction = 'in') filter (where l.in_force) as harmless
  from population p
  join places l on p.url = l.url or starts_with(p.url, rtrim(l.url, '/') || '/')
  group by all
),
judged as (
  select
    p.*, m.in_force, c.min_depth,
    case
      when p.kind = 'stage' and m.in_force and (m.harmless or (p.integration is not null and (m.agreed or b.name is not null))) then ''
      when p.kind = 'allowed' and m.in_force and not contains(p.url, '*') and len(string_split(rtrim(p.url, '/'), '/')) - 3 >= c.min_depth then ''
      when p.url is null and p.kind = 'allowed' then 'no-locations'
      when p.url is null then 'unknown-value'
      when p.kind = 'allowed' and contains(p.url, '*') then 'everything-allowed'
      when p.kind = 'stage' and p.integration is null then 'no-integration'
      when m.in_force is null then 'not-registered'
      when not m.in_force then 'registration-expired'
      when p.kind = 'allowed' then 'bucket-root'
      else 'not-ours'
    end as reason
  from population p
  cross join params c
  left join matched m on m.item = p.item
  left join (select distinct name from aws.s3_buckets) b on b.name = regexp_extract(p.url, '^s3(?:gov|china)?://([^/]+)', 1, 'i')
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when kind = 'stage' then case when integration is null then 'no integration' else 'integration ' || integration end || ', ' else '' end
    || case when in_force then 'registered' when not in_force then 'registration expired' else 'not registered' end as observed,
  case when kind = 'stage' then 'a storage integration, a registered place of ours or of an agreement' else 'a registered place, ' || min_depth || ' folder' || if(min_depth = 1, '', 's') || ' below the bucket' end as expected
from judged
