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
allowed as (
  select
    p.item, e.entry, e.type, e.known, e.low, e.high,
    exists (
      select 1 from fact.registered_ranges r
      where r.in_force and ((e.type = 'AWSVPCEID' and r.kind = 'vpce' and r.entry = e.entry) or (e.type = 'IPV4' and r.low <= e.low and e.high <= r.high))
    ) as registered
  from population p
  join fact.network_entries e on e.source = p.source and e.policy = p.policy
),
policies as (
  select
    item, count(*) as entries, bool_and(known) as known, bool_and(registered) as registered,
    coalesce(sum(high - low + 1), 0) as hosts, bool_or(type = 'IPV4') as limited,
    list_sort(list_distinct(list(entry order by entry) filter (where registered is not true))) as strange
  from allowed
  group by all
),
parsed as (
  select
    p.item, l.client_private_link_id as endpoint, upper(l.reported_client_type) = 'SNOWFLAKE_UI' as interactive,
    regexp_extract(l.client_ip, '^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$', ['a', 'b', 'c', 'd']) as part
  from population p
  join snowflake.login_history l on l.source = p.source and l.user_name = p.user_name
  where upper(l.is_success) is distinct from 'NO'
),
logins as (
  select
    item, endpoint, interactive,
    try_cast(part.a as bigint) * 16777216 + try_cast(part.b as bigint) * 65536 + try_cast(part.c as bigint) * 256 + try_cast(part.d as bigint) as number
  from parsed
),
used as (
  select
    l.item, bool_or(l.interactive) as interactive,
    bool_or(not exists (select 1 from allowed a where a.item = l.item and (a.entry = l.endpoint or (l.endpoint is null and a.low <= l.number and l.number <= a.high)))) as elsewhere
  from logins l
  group by all
),
judged as (
  select
    p.item, p.policy, p.policies, n.entries, n.known, n.limited, n.hosts, n.strange, b.policy is not null as blocks, u.interactive, u.elsewhere, c.max_hosts,
    case
      when p.policies = 1 and n.known and n.registered and (n.limited or b.policy is not null) and n.hosts <= c.max_hosts and not coalesce(u.interactive or u.elsewhere, false) then ''
      when p.policy is null then 'no-policy'
      when n.entries is null then 'no-entries'
      when p.policies > 1 or not n.known then 'unknown-value'
      when not n.registered then 'not-registered'
      when not n.limited and b.policy is null then 'open-to-public'
      when n.hosts > c.max_hosts then 'too-many-hosts'
      when u.interactive then 'interactive'
      else 'login-from-elsewhere'
    end as reason
  from population p
  cross join params c
  left join policies n on n.item = p.item
  left join blocking b on b.source = p.source and b.policy = p.policy
  left join used u on u.item = p.item
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  concat_ws('; ',
    case when policy is null then 'no policy of its own' when policies > 1 then policies || ' policies, the first: ' || policy else 'policy ' || policy end,
    case
      when policy is null then null
      when entries is null then 'what it allows is not shown'
      else entries || if(entries = 1, ' entry', ' entries') || ', ' || format('{:,}', hosts::bigint) || ' address' || if(hosts = 1, '', 'es') || if(hosts > max_hosts, ', more than agreed', '')
    end,
    case when not known then 'what a rule of it contains is not known' end,
    'not registered: ' || array_to_string(strange[:10], ', ') || if(len(strange) > 10, ' and ' || (len(strange) - 10) || ' more', ''),
    case when entries > 0 and limited is not true and not blocks then 'keeps no public address out' end,
    case when interactive then 'used in the web interface' end,
    -- without a policy, or where nothing of it is shown, there is no place to be outside of
    case when elsewhere and entries > 0 then 'signed in from outside its entries' end
  ) as observed,
  'a policy of its own with registered entries, ' || max_hosts || ' address' || if(max_hosts = 1, '', 'es') || ' at most, used from there and by no person' as expected
from judged
