with parsed as (
  select item, endpoint, address, regexp_extract(address, '^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$', ['a', 'b', 'c', 'd']) as part from population
),
numbered as (
  select
    item, coalesce(endpoint, address) as name, endpoint is not null as private,
    try_cast(part.a as bigint) * 16777216 + try_cast(part.b as bigint) * 65536 + try_cast(part.c as bigint) * 256 + try_cast(part.d as bigint) as number
  from parsed
),
matched as (
  select
    n.item,
    bool_or(r.in_force) as in_force,
    bool_or(r.in_force and r.kind = 'saas') as saas
  from numbered n
  join fact.registered_ranges r on (r.kind = 'vpce') = n.private and (r.entry = n.name or (r.low <= n.number and n.number <= r.high))
  group by all
),
judged as (
  select
    p.*, m.in_force,
    case
      when p.endpoint is not null and m.in_force then ''
      when p.address in ('INTERNAL_SNOWFLAKE_IP', '0.0.0.0') then ''
      when m.in_force and (m.saas or c.mode = 'ip') then ''
      when p.endpoint is null and p.address is null then 'unknown-value'
      when not m.in_force then 'registration-expired'
      when m.in_force then 'public-address'
      when p.endpoint is not null then 'endpoint-not-registered'
      else 'address-not-registered'
    end as reason,
    c.mode
  from population p
  cross join params c
  left join matched m on m.item = p.item
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when endpoint is not null then 'endpoint, ' when address in ('INTERNAL_SNOWFLAKE_IP', '0.0.0.0') then 'inside Snowflake, ' else 'address, ' end
    || case when in_force then 'registered, ' when not in_force then 'registration run out, ' when address in ('INTERNAL_SNOWFLAKE_IP', '0.0.0.0') or (endpoint is null and address is null) then '' else 'not registered, ' end || logins || ' sign-in' || if(logins = 1, '', 's') as observed,
  case mode when 'ip' then 'a registered endpoint or range' else 'a registered endpoint, or the range of a registered service' end as expected
from judged
