with assigned as (
  select distinct source, lower(login_name) as login, lower(app) as app from records.app_assignments where status is distinct from 'inactive'
)
select source || '/' || login || ' -> ' || app as item, source, login, app from assigned
union
select i.source || '/' || coalesce(lower(i.login_name), 'unknown user') || ' -> ' || a.app, i.source, lower(i.login_name), a.app
from records.sign_ins i
join (select distinct source, app from assigned) a on a.source = i.source and a.app = lower(i.app)
where i.night = (select night from params) and coalesce(i.result, 'unknown') not in ('failure', 'deny', 'challenge')
