-- A user's row shows what applies to the user; only a value set for the user that differs is an override.
with required as (
  select upper(split_part(each, '=', 1)) as key, lower(split_part(each, '=', 2)) as wanted
  from (select unnest(required || case when rekeying then ['PERIODIC_DATA_REKEYING=true'] else [] end) as each from params)
),
sources as (
  select distinct source from snowflake.parameters
)
select s.source || '/' || r.key as item, s.source, 'account' as kind, r.key, r.wanted, null as found from sources s cross join required r
union all
select distinct u.source || '/' || coalesce(u.user_name, '?') || ' ' || r.key, u.source, 'user', r.key, r.wanted, min(coalesce(lower(u.value), 'unknown'))
from snowflake.user_parameters u
join required r on r.key = upper(u.key)
where upper(coalesce(u.level, 'USER')) = 'USER' and lower(u.value) is distinct from r.wanted
group by all
union all
select s.source || '/Tri-Secret Secure', s.source, 'tri-secret', null, 'ACTIVATED', null from sources s cross join params c where c.tri_secret
