with zoned as (
  select
    p.*, coalesce(own.env, whole.env) as env, coalesce(own.zone, whole.zone) as zone
  from population p
  left join register.zones own on own.database = p.table_catalog and own.schema = p.table_schema
  left join register.zones whole on whole.database = p.table_catalog and whole.schema = '*'
),
said as (
  select distinct c.database_name, c.schema_name, c.object_name, c.column_name
  from contracts.products c
  cross join settings s
  where list_contains(s.not_phi_classes, lower(trim(c.column_class)))
),
judged as (
  select
    z.item, z.env, z.zone, k.policy,
    case
      when z.untold then 'unknown-value'
      when z.record then 'truncated'
      when not z.seen then 'target-not-seen'
      when z.env is distinct from 'prod' or z.zone is null or z.zone = 'sandbox' then 'outside-production'
      when f.column_name is null and c.column_name is not null then ''
      when f.column_name is null then 'not-declared'
      when list_contains(s.raw_zones, z.zone) or (k.policies = 1 and upper(k.policy_status) = 'ACTIVE' and k.policy_found and not k.passes_through) then ''
      else 'not-masked'
    end as reason
  from zoned z
  cross join settings s
  left join said c on c.database_name = z.table_catalog and c.schema_name = z.table_schema and c.object_name = z.table_name and c.column_name = z.column_name
  left join fact.phi_columns f
    on f.source = z.source and f.state = 'declared' and f.database_name = z.table_catalog and f.schema_name = z.table_schema and f.object_name = z.table_name and f.column_name = z.column_name
  left join fact.column_protection k
    on k.source = z.source and k.database_name = z.table_catalog and k.schema_name = z.table_schema and k.object_name = z.table_name and k.column_name = z.column_name
)
select
  item,
  case when reason = '' then 'pass' when reason in ('target-not-seen', 'truncated') then 'review' else 'fail' end as result,
  reason,
  'zone ' || coalesce(zone || ' ' || env, 'unknown') || ', ' || case when policy <> '' then 'policy ' || policy else 'no policy' end as observed,
  'declared PHI and masked, or said to hold none' as expected
from judged
