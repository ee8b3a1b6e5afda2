with captures as (
  select c.source, max(case when c.night = p.night then c.captured_at end) as until, max(case when c.night < p.night then c.captured_at end) as since
  from snowflake.columns c
  cross join params p
  group by c.source
),
served as (
  select c.source, c.night = p.night as tonight, c.table_catalog, c.table_schema, c.table_name, c.column_name, c.data_type || coalesce(' ' || c.numeric_scale, '') as type
  from snowflake.columns c
  cross join params p
  left join register.zones o on o.database = c.table_catalog and o.schema = c.table_schema
  left join register.zones a on a.database = c.table_catalog and a.schema = '*'
  where c.deleted is null and coalesce(o.env, a.env) = 'prod' and list_contains(p.zones, coalesce(o.zone, a.zone))
),
columns as (
  select source, table_catalog, table_schema, table_name, column_name, bool_or(tonight) as is_now, bool_or(not tonight) as was, count(distinct coalesce(type, '?')) as types
  from served
  group by all
),
objects as (
  select source, table_catalog, table_schema, table_name, bool_or(is_now) as is_now, bool_or(was) as was from columns group by all
),
changes as (
  select
    k.source, k.table_catalog, k.table_schema, k.table_name,
    case when not b.was then 'object-added' when not b.is_now then 'object-dropped' when not k.was then 'column-added' when not k.is_now then 'column-dropped' else 'column-retyped' end as change
  from columns k
  join objects b on b.source = k.source and b.table_catalog = k.table_catalog and b.table_schema = k.table_schema and b.table_name = k.table_name
  where not (k.is_now and k.was and k.types = 1)
)
select
  c.source || '/' || c.table_catalog || '.' || c.table_schema || '.' || c.table_name as item, t.since, t.until,
  [c.table_catalog, c.table_catalog || '.' || c.table_schema, c.table_catalog || '.' || c.table_schema || '.' || c.table_name] as cis,
  string_agg(distinct c.change, ', ' order by c.change) as what
from changes c
cross join params p
join captures t on t.source = c.source and t.since is not null
where not list_contains(p.standard_changes, c.change)
group by all
union all
select source || '/comparison', since, until, null, null from captures where until is not null
