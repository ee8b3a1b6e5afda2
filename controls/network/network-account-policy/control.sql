-- An address range is compared by its first and last address; a range must lie inside one registered range.
with registered as (
  select entry, kind, true as in_force from register.network
  union all
  select entry, kind, false from register_expired.network
),
parsed as (
  select *, regexp_extract(entry, '^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:/(\d{1,2}))?$', ['a', 'b', 'c', 'd', 'p']) as part
  from registered
),
sized as (
  select
    entry, kind, in_force,
    try_cast(part.a as bigint) * 16777216 + try_cast(part.b as bigint) * 65536 + try_cast(part.c as bigint) * 256 + try_cast(part.d as bigint) as address,
    greatest(try_cast(part.a as bigint), try_cast(part.b as bigint), try_cast(part.c as bigint), try_cast(part.d as bigint)) as octet,
    case when part.p = '' then 32 else try_cast(part.p as bigint) end as prefix
  from parsed
),
known_ranges as (
  select
    entry, kind, in_force,
    (address >> (32 - prefix)) * (1::bigint << (32 - prefix)) as low,
    ((address >> (32 - prefix)) + 1) * (1::bigint << (32 - prefix)) - 1 as high
  from sized
  where kind in ('cidr', 'saas') and prefix <= 32 and octet <= 255
),
-- Rules for endpoints leave public addresses alone: those are limited by a list of addresses or closed by a block of all.
blocking as (
  select source, name as policy
  from snowflake.network_policies
  where deleted is null and regexp_matches(blocked_ip_list, '(^|[^0-9./])0\.0\.0\.0/0($|[^0-9./])')
  union
  select r.source, r.container_name
  from snowflake.network_rule_references r
  join snowflake.network_rules l on l.source = r.source and l.id = r.network_rule_id
  where upper(r.container_type) = 'NETWORK_POLICY' and upper(r.action_type) = 'BLOCK'
    and l.deleted is null and upper(l.mode) = 'INGRESS' and upper(l.type) = 'IPV4'
    and regexp_matches(l.value_list, '(^|[^0-9./])0\.0\.0\.0/0($|[^0-9./])')
),
counted as (
  select
    e.source, e.policy, count(*) as entries,
    bool_or(b.policy is not null or (e.type = 'IPV4' and e.prefix is not null)) as closed,
    bool_and(e.known) as known
  from fact.network_entries e
  left join blocking b on b.source = e.source and b.policy = e.policy
  group by all
),
matches as (
  select
    e.source, e.policy, e.entry,
    bool_or(r.in_force) as in_force,
    bool_or(r.in_force and r.kind = 'saas') as saas
  from fact.network_entries e
  join (
    select entry, kind, in_force, low, high from known_ranges
    union all
    select entry, kind, in_force, null, null from registered where kind = 'vpce'
  ) r
    on (r.kind = 'vpce' and r.entry = e.entry) or (r.low <= e.low and e.high <= r.high)
  group by all
),
account_policies as (
  select source, policy from population where kind = 'account'
),
-- entries of another policy that lie neither inside the account policy's nor inside a saas range
beyond as (
  select p.source, p.policy, count(*) as entries, min(e.entry) as example
  from (select distinct source, policy from population where kind = 'assigned') p
  join fact.network_entries e on e.source = p.source and e.policy = p.policy
  left join account_policies a on a.source = p.source
  left join matches m on m.source = e.source and m.policy = e.policy and m.entry = e.entry
  where not coalesce(m.saas, false)
    and not (
      e.known
      and exists (
        select 1 from fact.network_entries o
        where o.source = a.source and o.policy = a.policy and o.known
          and (o.entry = e.entry or (o.low <= e.low and e.high <= o.high))
      )
    )
  group by all
),
judged as (
  select
    p.item, p.kind, p.policy, p.level, p.entry, e.type, e.prefix, n.entries, b.example, m.saas, c.max_prefix,
    case
      when p.kind = 'account' and p.level = 'ACCOUNT' and p.policy is not null and p.policy_found and n.entries > 0 and n.closed then ''
      when p.kind = 'entry' and e.known and e.type = 'AWSVPCEID' and e.prefix is null and m.in_force then ''
      when p.kind = 'entry' and e.known and e.type = 'IPV4' and e.prefix >= c.max_prefix and m.in_force and (m.saas or not c.private_only) then ''
      when p.kind = 'assigned' and p.policy_found and n.entries > 0 and n.closed and b.policy is null then ''
      when p.kind = 'account' and p.policy is null then 'no-policy'
      when p.kind = 'account' and p.level is null then 'unknown-value'
      when p.kind = 'account' and p.level <> 'ACCOUNT' then 'no-policy'
      when p.kind in ('account', 'assigned') and not p.policy_found then 'policy-unknown'
      when p.kind in ('account', 'assigned') and n.entries is null then 'no-entries'
      when p.kind = 'account' and not n.known then 'unknown-value'
      when p.kind = 'account' then 'open-range'
      when p.kind = 'assigned' then 'wider-than-account'
      when p.kind = 'token' then 'token-bypass'
      when not e.known then 'unknown-value'
      when e.entry = '::/0' or e.prefix = 0 then 'open-range'
      when e.type = 'IPV4' and e.prefix is null then 'unknown-form'
      when e.type in ('IPV4', 'AWSVPCEID') and coalesce(e.prefix < c.max_prefix, false) then 'too-wide'
      when e.type in ('IPV4', 'AWSVPCEID') and m.in_force is null then 'not-registered'
      when e.type in ('IPV4', 'AWSVPCEID') and not m.in_force then 'registration-expired'
      when e.type = 'IPV4' then 'public-beside-private'
      else 'unknown-form'
    end as reason
  from population p
  cross join params c
  left join fact.network_entries e on p.kind = 'entry' and e.source = p.source and e.policy = p.policy and e.entry = p.entry
  left join counted n on n.source = p.source and n.policy = p.policy
  left join matches m on m.source = e.source and m.policy = e.policy and m.entry = e.entry
  left join beyond b on p.kind = 'assigned' and b.source = p.source and b.policy = p.policy
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case kind
    when 'account' then 'policy ' || coalesce(policy, 'none') || ' at level ' || coalesce(nullif(level, ''), 'unknown')
    when 'entry' then coalesce(type, 'unknown type') || case when prefix is null then '' else ' /' || prefix end
    when 'assigned' then coalesce(entries, 0) || ' entries' || case when example is null then '' else ', ' || example || ' is not in the account policy' end
    else 'minutes of bypass are set'
  end as observed,
  case kind
    when 'account' then 'a live policy at level ACCOUNT with entries'
    when 'entry' then 'a registered endpoint, or a registered range not wider than /' || max_prefix
    when 'assigned' then 'nothing the account policy does not admit'
    else 'no bypass'
  end as expected
from judged
