with named as (
  select name, bool_and(baa_id is not null or len(list_filter(data_classes, lambda d: upper(d) like 'PHI%')) = 0) as agreed, min(system) as system
  from (select unnest(integration_names) as name, system, baa_id, data_classes from register.vendors)
  group by all
),
expired as (
  select name, max(expires) as ended from (select unnest(integration_names) as name, expires from register_expired.vendors) group by all
),
blocked as (
  select source, integration_name, list_transform(string_split(upper(property_value), ','), lambda r: trim(r, ' "''[]')) as roles
  from snowflake.security_integrations_desc
  where upper(property) = 'BLOCKED_ROLES_LIST'
),
judged as (
  select
    p.item, p.known, n.system, e.ended,
    case
      when p.known and n.agreed and (not p.oauth or list_has_all(b.roles, c.must_block)) then ''
      when not p.known then 'unknown-value'
      when n.name is null and e.name is not null then 'registration-expired'
      when n.name is null then 'not-registered'
      when not n.agreed then 'no-agreement'
      else 'roles-not-blocked'
    end as reason
  from population p
  cross join params c
  left join named n on n.name = p.name
  left join expired e on e.name = p.name
  left join blocked b on b.source = p.source and b.integration_name = p.name
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  if(known, '', 'its kind or state not known, ') || coalesce('registered as ' || system, 'registration ran out on ' || ended, 'not registered') || case reason when 'no-agreement' then ', sees PHI without an agreement' when 'roles-not-blocked' then ', administrator roles not known to be blocked' else '' end as observed,
  'registered with an owner, an agreement where it sees PHI, administrator roles blocked for OAuth' as expected
from judged
