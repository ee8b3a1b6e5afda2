with writes as (
  select distinct p.item
  from population p
  join fact.role_privileges h
    on h.source = p.source and h.holder = p.role and h.database_name = p.database and (h.schema_name is null or p.schema in (h.schema_name, '*'))
  cross join settings s
  where list_contains(s.privileges_on_data, upper(h.privilege)) and upper(h.privilege) not in ('SELECT', 'REFERENCES', 'READ')
),
nobodys as (
  select distinct source, database, schema from fact.zone_reach where holder is null
),
entries as (
  select role, database, schema, false as expired from register.environment_reads
  union all
  select role, database, schema, true from register_expired.environment_reads
),
allowed as (
  select role, database, schema, bool_or(not expired) as in_force from entries group by all
),
judged as (
  select
    p.item, f.what, f.path,
    case
      when p.own_env is null then 'no-environment'
      when n.source is not null or f.kind = 'unknown' then 'unknown-value'
      when f.source is null then ''
      when w.item is not null then 'writes-elsewhere'
      when p.env in ('test', 'dev') then ''
      when a.in_force and not p.phi then ''
      when not a.in_force then 'registration-expired'
      else 'reads-production'
    end as reason
  from population p
  left join fact.zone_reach f on f.holder_kind <> 'USER' and f.source = p.source and f.holder = p.role and f.database = p.database and f.schema = p.schema
  left join nobodys n on n.source = p.source and n.database = p.database and n.schema = p.schema
  left join writes w on w.item = p.item
  left join allowed a on a.role = p.role and a.database = p.database and a.schema = p.schema
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  coalesce(what || ', by ' || path, 'no privilege on data') as observed,
  'no privilege on data, or a read that is allowed' as expected
from judged
