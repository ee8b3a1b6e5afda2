-- as_of is the end of the night. A grant at an unknown time may have been open that night.
select
  g.source || '/grant of ' || coalesce(g.role, 'unknown role') || ' to ' || coalesce(g.grantee_name, 'unknown user') || ' at ' || coalesce(strftime(g.created_on, '%Y-%m-%d %H:%M:%S'), 'unknown time') as item,
  'grant' as kind, g.source, g.grantee_name as who, g.role, g.created_on as started, max(coalesce(g.deleted_on, p.as_of)) as ended
from snowflake.grants_to_users g
cross join params p
where (g.role is null or list_contains(p.break_glass_roles, g.role))
  and coalesce(g.created_on < p.as_of, true) and coalesce(g.deleted_on >= p.night, true)
group by all
union all
select distinct u.source || '/user ' || u.name, 'user', u.source, u.name, null, null::timestamp, null::timestamp
from snowflake.users u
join register.break_glass r on r."user" = u.name
where u.deleted_on is null
union all
select
  t.source || '/request ' || concat_ws(' ', t.system, t.id), 'request', t.source, t.user_name, t.role, t.approved_at,
  coalesce(t.expires_at, t.approved_at + to_hours(p.max_hours))
from records.tickets t
cross join params p
where t.type = 'break_glass' and coalesce(t.status, '') not in ('rejected', 'cancelled') and t.approved_at < p.as_of
  and coalesce(t.expires_at, t.approved_at + to_hours(p.max_hours)) + to_days(p.review_days) >= p.night
union all
select distinct
  e.source || '/' || e.role || ' in ' || coalesce(e.holder, 'unknown role'), 'parent', e.source, e.holder, e.role, null::timestamp, null::timestamp
from fact.role_edges e
cross join params p
where e.holder_kind <> 'USER' and list_contains(p.break_glass_roles, e.role)
