-- A registered user that no account has is an item too, under the first account.
select
  source || '/' || user_name as item, source, user_name, user_type, has_password, has_rsa_public_key, has_workload_identity, has_pat, registered, true as present
from fact.user
where live and (upper(user_type) in ('SERVICE', 'LEGACY_SERVICE') or registered)
union all
select
  (select coalesce(min(source), 'snowflake') from fact.user) || '/' || r."user", null, r."user", null, null, null, null, null, true, false
from (select distinct "user" from register.service_accounts) r
where not exists (select 1 from fact.user u where u.live and u.user_name = r."user")
