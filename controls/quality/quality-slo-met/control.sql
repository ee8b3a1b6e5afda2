with read as (
  select
    *,
    case when starts_with(name, 'freshness') then 'freshness' when starts_with(name, 'completeness') then 'completeness' end as kind,
    regexp_extract(promise, '^<=\s*(\d{1,6})\s*([mhd])$', ['n', 'unit']) as span,
    try_cast(nullif(regexp_extract(promise, '^>=\s*(\d{1,3}(?:\.\d{1,3})?)\s*%$', 1), '') as decimal(9, 3)) as share
  from population
),
limits as (
  select *, try_cast(nullif(span.n, '') as bigint) * case span.unit when 'm' then 1 when 'h' then 60 when 'd' then 1440 end as minutes from read
),
served as (
  select p.source, p.product, p.database_name || '.' || p.schema_name || '.' || p.object_name as path, n.source as project, n.unique_id
  from contracts.products p
  left join dbt.nodes n
    on n.enabled and n.resource_type in ('model', 'snapshot', 'seed')
    and upper(n.database) = upper(p.database_name) and upper(n.schema) = upper(p.schema_name) and upper(coalesce(n.alias, n.name)) = upper(p.object_name)
  where p.interface in ('table', 'view')
  group by all
),
moments as (
  select s.source, s.product, s.path, s.project, r.generated_at as built_at, false as closing
  from served s
  join dbt.run_results r on r.source = s.project and r.unique_id = s.unique_id
  cross join params c
  where r.status = 'success' and r.executed and list_contains(c.targets, r.target_name)
  union
  select s.source, s.product, s.path, s.project, c.night::timestamp + to_days(1), true from served s cross join params c
),
intervals as (
  select source, product, path, project, built_at, closing, lag(built_at) over (partition by source, product, path, project order by built_at, closing) as earlier from moments
),
-- an object that never succeeded in the two nights has one interval, without a beginning: longer than any promise; on the first night of a project
-- nothing says when the interval up to the first success began
fresh as (
  select l.item, count(*) as points, count(case when i.earlier >= i.built_at - to_minutes(l.minutes) then null else 1 end) as longer
  from limits l
  cross join params c
  join intervals i on i.source = l.source and i.product = l.product and i.built_at > c.night::timestamp
  where l.minutes > 0
    and (i.earlier is not null or i.closing or exists (select 1 from dbt.run_results r where r.source = i.project and r.night < c.night))
  group by l.item
),
tested as (
  select distinct l.item, r.source, r.unique_id, r.generated_at, r.status
  from limits l
  cross join params c
  join served s on s.source = l.source and s.product = l.product
  join dbt.tests t on t.source = s.project and t.attached_node = s.unique_id
  join dbt.run_results r on r.source = t.source and r.unique_id = t.unique_id and r.night = c.night
  where l.kind = 'completeness' and r.test_evidence and r.executed and list_contains(c.targets, r.target_name)
),
tests as (
  select item, count(*) as points, count(case when status = 'pass' then 1 end) as passed from tested group by item
),
judged as (
  select
    l.item, l.name, l.kind, l.promise, l.minutes, l.span, l.share, c.min_points, c.error_budget, coalesce(f.points, t.points, 0) as points, coalesce(f.longer, t.points - t.passed, 0) as bad,
    case
      when l.kind is null then 'not-measured'
      when l.kind = 'freshness' and l.minutes is null then 'not-parseable'
      when l.kind = 'completeness' and coalesce(l.share > 100, true) then 'not-parseable'
      when f.points is null and t.points is null then 'not-measured'
      when contains(l.name, '_p') and f.points < c.min_points then 'too-few-points'
      when f.longer * 100 <= f.points * c.error_budget then ''
      when t.passed * 100 >= t.points * l.share then ''
      when f.points > 0 or t.points > 0 then 'breached'
      else 'unknown-value'
    end as reason
  from limits l
  cross join params c
  left join fresh f on f.item = l.item
  left join tests t on t.item = l.item
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when reason = 'not-parseable' then 'the contract says: ' || coalesce(promise, 'nothing') when points = 0 then 'nothing measured' else bad || ' of ' || points || ' measurement' || if(points = 1, '', 's') || ' worse than promised' end as observed,
  case
    when reason = 'not-parseable' then 'a promise that can be read, such as "<=10m" or ">=99.5%"'
    when kind = 'freshness' then 'at most ' || span.n || case span.unit when 'm' then ' minute' when 'h' then ' hour' else ' day' end || if(span.n = '1', '', 's') || ' from one success to the next' || if(error_budget > 0, ', ' || error_budget || ' percent of intervals excepted', '')
      || if(contains(name, '_p'), ', by at least ' || min_points || ' measurements', '')
    when kind = 'completeness' then 'at least ' || rtrim(rtrim(share::varchar, '0'), '.') || ' percent of tests passed'
    else 'a promise that is measured'
  end as expected
from judged
