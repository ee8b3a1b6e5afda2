select distinct s.source || '/deployer ' || d."user" as item
from register.deployers d
cross join (select source from snowflake.query_history union select source from snowflake.login_history) s
union
select source || '/' || repo || ' finding ' || finding_id from records.secret_scan
union
select source || '/' || account || ' key ' || access_key_id || ' of ' || coalesce(user_name, 'unknown user') from aws.iam_access_keys where coalesce(lower(status), '') <> 'inactive'
union
select source || '/lease ' || coalesce(engine, '?') || ' ' || coalesce(role, '?') || ' of ' || coalesce(client, 'unknown client') from records.secret_leases
union
select source || '/' || document from terraform.state
