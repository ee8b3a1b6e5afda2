with sso as (
  select i.source
  from snowflake.integrations i
  cross join params c
  where upper(i.category) = 'SECURITY' and list_contains(c.sso_types, upper(i.type)) and lower(i.enabled) = 'true'
),
attached as (
  select a.source, upper(a.policy_kind) as kind, min(w.password_min_length) as min_length
  from snowflake.policy_attachments a
  left join snowflake.password_policies w
    on w.source = a.source and w.database = a.policy_db and w.schema = a.policy_schema and w.name = a.policy_name and w.deleted is null
  where upper(a.ref_entity_domain) = 'ACCOUNT' and upper(a.policy_status) = 'ACTIVE'
  group by all
),
looked_at as (
  select
    p.*,
    c.min_len,
    p.source in (select source from sso) as sso,
    p.source in (select source from attached where kind = 'AUTHENTICATION_POLICY') as authentication,
    p.emergencies <= c.break_glass_max as few,
    p.passwords = 0 or w.min_length >= c.min_len as long,
    w.min_length,
    e."user" is not null as expired
  from population p
  cross join params c
  left join attached w on w.source = p.source and w.kind = 'PASSWORD_POLICY'
  left join (select distinct "user" from register_expired.break_glass) e on e."user" = p.user_name
),
judged as (
  select
    *,
    case
      when user_name is null then
        case
          when sso and authentication and few and long then ''
          when not sso then 'no-sso'
          when not authentication then 'no-authentication-policy'
          when not few then 'too-many-emergency-logins'
          else 'weak-password-policy'
        end
      when not has_password or (has_password and emergency) then ''
      when has_password and expired then 'registration-expired'
      when has_password then 'has-password'
      else 'unknown-value'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when user_name is null then case when sso then 'single sign-on enabled' else 'no single sign-on' end
      || case when authentication then ', an authentication policy' else ', no authentication policy' end
      || ', ' || passwords || ' people with a password, ' || emergencies || ' of them emergency logins, minimum length ' || coalesce(min_length::varchar, 'not set')
    else case when has_password then 'a password' when not has_password then 'no password' else 'password not known' end
      || case when emergency then ', emergency login' else '' end
  end as observed,
  case
    when user_name is null then 'single sign-on, an authentication policy and, with passwords, a minimum length of ' || min_len
    else 'no password, or a registered emergency login'
  end as expected
from judged
