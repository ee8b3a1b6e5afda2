-- A user has one policy at most; where two are shown the first by name is judged, and the number says so.
select u.source || '/' || coalesce(u.user_name, '?') as item, u.source, u.user_name, min(r.policy_name) as policy, count(distinct r.policy_name) as policies
from fact.user u
left join snowflake.policy_references r on r.source = u.source and r.ref_entity_name = u.user_name and upper(r.ref_entity_domain) = 'USER' and upper(r.policy_kind) = 'NETWORK_POLICY'
where u.active and u.kind = 'service'
group by all
