with registered as (
  select entry, kind, true as in_force from register.network
  union all
  select entry, kind, false from register_expired.network
),
parsed as (
  select *, regexp_extract(entry, '^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:/(\d{1,2}))?$', ['a', 'b', 'c', 'd', 'p']) as part from registered
),
sized as (
  select
    entry, kind, in_force,
    try_cast(part.a as bigint) * 16777216 + try_cast(part.b as bigint) * 65536 + try_cast(part.c as bigint) * 256 + try_cast(part.d as bigint) as address,
    greatest(try_cast(part.a as bigint), try_cast(part.b as bigint), try_cast(part.c as bigint), try_cast(part.d as bigint)) as octet,
    case when part.p = '' then 32 else try_cast(part.p as bigint) end as prefix
  from parsed
)
select
  entry, kind, in_force,
  case when kind in ('cidr', 'saas') and prefix <= 32 and octet <= 255 then (address >> (32 - prefix)) * (1::bigint << (32 - prefix)) end as low,
  case when kind in ('cidr', 'saas') and prefix <= 32 and octet <= 255 then ((address >> (32 - prefix)) + 1) * (1::bigint << (32 - prefix)) - 1 end as high
from sized
