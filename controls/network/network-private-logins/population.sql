select
  source || '/' || coalesce(user_name, '?') || ' from ' || coalesce(client_private_link_id, client_ip, '?') as item, source, client_private_link_id as endpoint,
  case when client_private_link_id is null then client_ip end as address, count(*) as logins
from snowflake.login_history
where upper(is_success) is distinct from 'NO'
group by all
