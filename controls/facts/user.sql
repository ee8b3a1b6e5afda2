-- Kinds follow USERS.TYPE (NULL behaves as PERSON), the service register and the names the service itself uses.
-- DISABLED is a VARIANT that arrives as text. A flag that is not known keeps a login in scope.
select
  u.source,
  u.name as user_name,
  u.type as user_type,
  case
    when upper(u.type) in ('SNOWFLAKE_SERVICE', 'SERVICE_AGENT') then 'platform'
    -- a name of the platform's own does not cover a login that somebody has given credentials
    when list_contains(s.platform_users, u.name) and u.has_password is distinct from true and u.has_rsa_public_key is distinct from true then 'platform'
    when upper(u.type) in ('SERVICE', 'LEGACY_SERVICE') or r.user is not null then 'service'
    else 'human'
  end as kind,
  r.user is not null as registered,
  u.deleted_on is null as live,
  u.deleted_on is null and lower(u.disabled) is distinct from 'true' and coalesce(u.expires_at > s.as_of, true) as active,
  u.deleted_on,
  u.created_on,
  nullif(trim(u.email), '') as email,
  u.has_password,
  u.has_mfa,
  u.ext_authn_duo,
  u.bypass_mfa_until,
  u.has_rsa_public_key,
  u.has_workload_identity,
  u.has_pat,
  u.last_success_login
from snowflake.users u
cross join settings s
left join (select distinct r."user" from register.service_accounts r) r on r."user" = u.name
