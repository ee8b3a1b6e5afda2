with registered as (
  select kind, case kind when 'host' then lower(name) else name end as name, bool_or(in_force) as in_force
  from (select kind, name, true as in_force from register.egress union all select kind, name, false from register_expired.egress)
  group by all
),
ruled as (
  select distinct r.source, r.container_name as integration
  from snowflake.network_rule_references r
  join snowflake.network_rules l on l.source = r.source and l.id = r.network_rule_id
  where upper(r.container_type) = 'INTEGRATION' and l.deleted is null and upper(l.mode) = 'EGRESS'
),
judged as (
  select
    p.*, g.in_force,
    case
      when p.kind = 'access' and u.integration is not null then ''
      when g.in_force and (c.wildcards_allowed or not p.wide) then ''
      when p.kind = 'access' and p.integration is not null then 'no-rule'
      when p.target is null and p.integration is null then 'unknown-value'
      when p.wide and not c.wildcards_allowed then 'wildcard'
      when not g.in_force then 'registration-expired'
      else 'not-registered'
    end as reason
  from (select *, coalesce(contains(host, '*') or starts_with(host, '0.0.0.0') or regexp_matches(host, '/\d+$'), false) as wide from population) p
  cross join params c
  left join registered g on (g.kind = 'host' and g.name = p.host) or (g.kind = 'integration' and p.kind = 'integration' and p.target is null and g.name = p.integration)
  left join ruled u on u.source = p.source and u.integration = p.integration
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when kind = 'access' then case when reason = '' then 'an egress rule is attached' else 'no egress rule attached' end
    else coalesce('host ' || host, 'no target to read') || case when in_force then ', registered' when not in_force then ', registration expired' else ', not registered' end
  end as observed,
  case when kind = 'access' then 'a live egress rule' else 'a registered host' end as expected
from judged
