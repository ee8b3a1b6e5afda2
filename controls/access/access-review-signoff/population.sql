with quarter as (
  select date_trunc('quarter', as_of - to_days(due_days::integer))::date as closed, scopes from params
),
list as (
  select q.closed, coalesce(max(r.listed_at), q.closed::timestamp) as listed_at
  from quarter q
  left join register.access_reviews r on r.period_end = q.closed - 1 and r.scope = 'snowflake' and r.listed_at > q.closed
  group by q.closed
)
select distinct
  g.source || '/' || coalesce(g.grantee_name, 'unknown user') || ' -> ' || coalesce(g.role, 'unknown role') as item,
  'grant' as kind, l.closed, g.source as system, g.grantee_name as holder, g.role as access
from snowflake.grants_to_users g
cross join list l
where g.deleted_on is null and coalesce(g.created_on <= l.listed_at, true)
union all
select 'register/' || strftime(q.closed - 1, '%Y-%m-%d') || ' ' || s.scope, 'scope', q.closed, s.scope, null, null
from quarter q
cross join unnest(q.scopes) as s(scope)
