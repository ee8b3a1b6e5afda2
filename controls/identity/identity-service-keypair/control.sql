with password_logins as (
  select source, user_name, count(*) as logins
  from snowflake.login_history
  where upper(first_authentication_factor) = 'PASSWORD' and upper(is_success) is distinct from 'NO'
  group by all
),
looked_at as (
  select
    p.*,
    coalesce(l.logins, 0) as logins,
    e."user" is not null as expired,
    (list_contains(c.allowed_auth, 'KEYPAIR') and p.has_rsa_public_key) or (list_contains(c.allowed_auth, 'WORKLOAD_IDENTITY') and p.has_workload_identity) as keyed,
    c.allow_pat or not p.has_pat as no_token
  from population p
  cross join params c
  left join password_logins l on l.source = p.source and l.user_name = p.user_name
  left join (select distinct "user" from register_expired.service_accounts) e on e."user" = p.user_name
),
judged as (
  select
    *,
    case
      when present and upper(user_type) = 'SERVICE' and not coalesce(has_password, false) and keyed and no_token and registered and logins = 0 then ''
      when not present then 'missing-in-account'
      when upper(user_type) is distinct from 'SERVICE' then 'not-typed-service'
      when has_password then 'has-password'
      when not keyed then 'no-key'
      when not no_token then 'has-pat'
      when not registered and expired then 'registration-expired'
      when not registered then 'not-registered'
      when logins > 0 then 'password-login'
      else 'unknown-value'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when not present then 'no such user'
    else 'type ' || coalesce(user_type, 'not set')
      || case when has_password then ', password' else '' end
      || case when has_rsa_public_key then ', key pair' else '' end
      || case when has_workload_identity then ', workload identity' else '' end
      || case when has_pat then ', access token' else '' end
      || case when registered then ', registered' else ', not registered' end
      || case when logins > 0 then ', ' || logins || ' password sign-in' || if(logins = 1, '', 's') else '' end
  end as observed,
  'registered, type SERVICE, no password, key pair or workload identity' as expected
from judged
