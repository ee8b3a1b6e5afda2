-- Rules for endpoints leave public addresses alone: those are limited by a list of addresses or closed by a block of all.
with blocking as (
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
-- A range must lie inside one registered range; the same entry is the same everywhere.
matches as (
  select
    e.entry,
    bool_or(r.in_force) as in_force,
    bool_or(r.in_force and r.kind = 'saas') as saas
  from fact.network_entries e
  join fact.registered_ranges r
    on (r.kind = 'vpce' and r.entry = e.entry) or (r.low <= e.low and e.high <= r.high)
  group by all
),
account_entries as (
  select o.source, o.entry, o.low, o.high
  from fact.network_entries o
  join population a on a.kind = 'account' and a.source = o.source and a.policy = o.policy
),
-- entries of another policy that lie neither inside the account policy's nor inside a saas range
beyond as (
  select p.source, p.policy, string_agg(distinct e.entry, ', ' order by e.entry) as observed
  from (select distinct source, policy from population) p
  join fact.network_entries e on e.source = p.source and e.policy = p.policy
  left join matches m on m.entry = e.entry
  where m.saas is distinct from true
    and not (
      e.known
      and exists (
        select 1 from account_entries o
        where o.source = e.source and (o.entry = e.entry or (o.low <= e.low and e.high <= o.high))
      )
    )
  group by all
),
judged as (
  select
    p.item, p.kind, p.policy, p.level, p.policy_found, e.type, e.prefix, e.known, n.entries, n.known as all_known, n.closed, b.observed, m.in_force, m.saas, c.private_only, c.max_prefix,
    case p.kind
      when 'account' then case
        when p.level = 'ACCOUNT' and p.policy_found and n.closed then ''
        when p.policy is null then 'no-policy'
        when p.level is null then 'unknown-value'
        when p.level <> 'ACCOUNT' then 'no-policy'
        when not p.policy_found then 'policy-unknown'
        when n.entries is null then 'no-entries'
        when not n.known then 'unknown-value'
        else 'open-range'
      end
      when 'entry' then case
        when e.known is distinct from true then 'unknown-value'
        when e.entry = '::/0' or e.prefix = 0 then 'open-range'
        when e.type = 'AWSVPCEID' and e.prefix is null then case when m.in_force then '' when not m.in_force then 'registration-expired' else 'not-registered' end
        when e.type = 'IPV4' and e.prefix is not null then case
          when e.prefix >= c.max_prefix and m.in_force and (m.saas or not c.private_only) then ''
          when e.prefix < c.max_prefix then 'too-wide'
          when m.in_force is null then 'not-registered'
          when not m.in_force then 'registration-expired'
          else 'public-beside-private'
        end
        else 'unknown-form'
      end
      when 'assigned' then case
        when p.policy_found and n.closed and b.policy is null then ''
        when not p.policy_found then 'policy-unknown'
        when n.entries is null then 'no-entries'
        else 'wider-than-account'
      end
      else 'token-bypass'
    end as reason
  from population p
  cross join params c
  left join fact.network_entries e on e.source = p.source and e.policy = p.policy and e.entry = p.entry
  left join counted n on n.source = p.source and n.policy = p.policy
  left join matches m on m.entry = e.entry
  left join beyond b on b.source = p.source and b.policy = p.policy
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case kind
    when 'account' then case
      when policy is null then 'no policy is set'
      else concat_ws('; ',
        'policy ' || policy || case when level = 'ACCOUNT' then ' of the account' when level <> '' then ' at level ' || level else ', level not known' end,
        case when not policy_found then 'not among the live policies' end,
        case when entries is null then 'what it admits is not shown' else entries || if(entries = 1, ' entry', ' entries') end,
        case when not all_known then 'what a rule of it contains is not known' end,
        case when entries > 0 and closed is not true then 'no list of addresses, and no block of 0.0.0.0/0' end
      )
    end
    when 'entry' then concat_ws('; ',
      case type when 'IPV4' then 'IPv4' || coalesce(' range of /' || prefix, ', not readable as a range') when 'AWSVPCEID' then 'endpoint' else coalesce('of type ' || type, 'of unknown type') end,
      case when known is distinct from true then 'what the rule contains is not known' end,
      case when prefix < max_prefix then 'wider than /' || max_prefix end,
      case when in_force and saas then 'registered as a service' when in_force and prefix is not null and private_only then 'registered, and not as a service' when in_force then 'registered' when not in_force then 'registration run out' else 'not registered' end
    )
    when 'assigned' then concat_ws('; ',
      case when not policy_found then 'not among the live policies' end,
      case when entries is null then 'what it admits is not shown' else entries || if(entries = 1, ' entry', ' entries') end,
      case when entries > 0 and closed is not true then 'no list of addresses, and no block of 0.0.0.0/0' end,
      'not in the account policy: ' || left(observed, 300) || if(length(observed) > 300, '…', '')
    )
    else 'minutes of bypass are set'
  end as observed,
  case kind
    when 'account' then 'a live policy at level ACCOUNT with entries'
    when 'entry' then 'a registered endpoint, or a registered range not wider than /' || max_prefix
    when 'assigned' then 'nothing the account policy does not admit'
    else 'no bypass'
  end as expected
from judged
