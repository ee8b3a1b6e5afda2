with held as (
  select
    p.source, p.database_name, p.schema_name, p.object_name,
    count(*) filter (where p.state = 'declared') as declared,
    count(*) filter (where p.state <> 'declared' and not coalesce(list_contains(s.not_phi_classes, lower(trim(p.contract_class))), false)) as suspected
  from fact.phi_columns p
  cross join settings s
  group by all
),
phi_databases as (
  select distinct h.source, h.database_name from held h join register.zones z on z.database = h.database_name and z.env = 'prod' where h.declared > 0
),
-- the database is the first of as many parts as the kind of object has, else the session's
named as (
  select
    p.*,
    regexp_extract_all(p.said.target, '"[^"]*"|[^."]+') as target, regexp_extract_all(p.said.origin, '"[^"]*"|[^."]+') as origin,
    case upper(p.said.kind) when 'DATABASE' then 1 when 'SCHEMA' then 2 when 'TABLE' then 3 end as parts
  from population p
),
placed as (
  select
    n.*,
    case when len(target) = parts then case when target[1] like '"%' then replace(target[1], '"', '') else upper(target[1]) end else database_name end as target_database,
    case when len(origin) = parts then case when origin[1] like '"%' then replace(origin[1], '"', '') else upper(origin[1]) end else database_name end as origin_database
  from named n
),
judged as (
  select
    p.item, p.cloned, p.user_name, p.env, p.target_database, p.origin_database, h.declared, h.suspected,
    case
      when not p.cloned and coalesce(h.declared, 0) = 0 and coalesce(h.suspected, 0) = 0 then ''
      when h.declared > 0 and p.env is null then 'zone-unknown'
      when h.declared > 0 then 'phi-outside-production'
      when not p.cloned then 'suspected'
      when p.parts is null or p.target_database is null or p.origin_database is null then 'unknown-value'
      when d.source is null or exists (select 1 from register.zones z where z.database = p.target_database and z.env = 'prod') then ''
      else 'cloned-from-production'
    end as reason
  from placed p
  left join held h on h.source = p.source and h.database_name = p.database_name and h.schema_name = p.schema_name and h.object_name = p.object_name
  left join phi_databases d on d.source = p.source and d.database_name = p.origin_database
)
select
  item,
  case when reason = '' then 'pass' when reason = 'suspected' then 'review' else 'fail' end as result,
  reason,
  case
    when cloned then 'from ' || coalesce(origin_database, '?') || ' to ' || coalesce(target_database, '?') || ' by ' || coalesce(user_name, 'unknown user')
    else coalesce(env, 'unregistered') || ', columns declared PHI: ' || coalesce(declared, 0) || ', suspected: ' || coalesce(suspected, 0)
  end as observed,
  'no declared PHI outside production' as expected
from judged
