-- A rule whose policy is not known may be any policy's.
-- low and high are the first and last address as whole numbers; NULL where the entry is no IPv4 range.
with live_policies as (
  select source, name, allowed_ip_list from snowflake.network_policies where deleted is null
),
live_rules as (
  select source, id, type, value_list, mode from snowflake.network_rules where deleted is null
),
listed as (
  select source, name as policy, unnest(regexp_extract_all(allowed_ip_list, '[^\s,\[\]()''"]+')) as entry from live_policies
),
ruled as (
  select r.source, coalesce(r.container_name, p.name) as policy, l.id is not null and l.value_list is not null as known, l.type, l.value_list, coalesce(r.network_rule_name, '?') as rule
  from snowflake.network_rule_references r
  left join live_rules l on l.source = r.source and l.id = r.network_rule_id
  left join live_policies p on p.source = r.source and r.container_name is null
  where coalesce(upper(r.container_type), 'NETWORK_POLICY') = 'NETWORK_POLICY'
    and coalesce(upper(r.action_type), 'ALLOW') = 'ALLOW'
    and coalesce(upper(l.mode), 'INGRESS') <> 'EGRESS'
),
entries as (
  select source, policy, 'IPV4' as type, entry, true as known from listed
  union
  select source, policy, upper(type), unnest(regexp_extract_all(value_list, '[^\s,\[\]()''"]+')), true from ruled where known
  union
  select source, policy, upper(type), 'rule ' || rule, false from ruled where not known
),
parsed as (
  select *, regexp_extract(entry, '^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:/(\d{1,2}))?$', ['a', 'b', 'c', 'd', 'p']) as part
  from entries
),
numbered as (
  select
    source, policy, type, entry, known,
    try_cast(part.a as bigint) as a, try_cast(part.b as bigint) as b, try_cast(part.c as bigint) as c, try_cast(part.d as bigint) as d,
    case when part.p = '' then 32 else try_cast(part.p as bigint) end as prefix
  from parsed
),
sized as (
  select
    source, policy, type, entry, known,
    case when greatest(a, b, c, d) <= 255 and prefix <= 32 and a is not null then prefix end as prefix,
    a * 16777216 + b * 65536 + c * 256 + d as address
  from numbered
)
select
  source, policy, min(type) as type, entry, bool_and(known) as known, min(prefix) as prefix,
  min((address >> (32 - prefix)) * (1::bigint << (32 - prefix))) as low,
  min(((address >> (32 - prefix)) + 1) * (1::bigint << (32 - prefix)) - 1) as high
from sized
group by source, policy, entry
