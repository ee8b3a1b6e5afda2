select
  source || '/integration ' || name as item, source, name, enabled is not null and type is not null as known,
  upper(type) like 'OAUTH%' and lower(enabled) <> 'false' as oauth
from snowflake.integrations
union all
select d.source || '/database ' || d.name, d.source, d.name, true, false
from snowflake.databases d
cross join params s
where (coalesce(upper(d.kind), 'APPLICATION') in ('IMPORTED DATABASE', 'APPLICATION') or trim(d.origin) <> '')
  and len(list_filter(s.platform_origins, lambda o: starts_with(d.origin, o))) = 0
union all
select distinct
  source || '/client ' || coalesce(regexp_replace(client_application_id, '\s+v?\d[\w.+-]*$', ''), '?'), source, regexp_replace(client_application_id, '\s+v?\d[\w.+-]*$', ''), client_application_id is not null, false
from snowflake.sessions
