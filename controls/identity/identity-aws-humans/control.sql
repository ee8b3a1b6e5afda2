-- A row without its account or its user's name joins nothing, so nothing is known of it.
with users as (
  select
    r.source, r.account, r.user_name,
    r.mfa_active or lower(r.password_enabled) = 'false' as guarded,
    lower(r.password_enabled) = 'true' and not r.mfa_active as unguarded,
    (not r.access_key_1_active or r.access_key_1_last_rotated >= c.as_of - to_days(c.max_key_days))
      and (not r.access_key_2_active or r.access_key_2_last_rotated >= c.as_of - to_days(c.max_key_days)) as fresh,
    (r.access_key_1_active and r.access_key_1_last_rotated < c.as_of - to_days(c.max_key_days))
      or (r.access_key_2_active and r.access_key_2_last_rotated < c.as_of - to_days(c.max_key_days)) as old
  from aws.iam_credential_report r
  cross join params c
  where r.user_name <> '<root_account>'
),
judged as (
  select
    p.item, p.user_name, s.account_access_keys_present as root_keys, s.account_mfa_enabled as root_mfa, u.guarded, u.fresh, c.max_key_days,
    case
      when s.account_access_keys_present = 0 and (s.account_mfa_enabled or not s.account_password_present) then ''
      when u.guarded and u.fresh then ''
      when not p.collected then 'not-collected'
      when s.account_access_keys_present > 0 then 'root-keys'
      when not s.account_mfa_enabled and s.account_password_present is distinct from false then 'root-no-second-factor'
      when u.unguarded then 'no-second-factor'
      when u.old then 'old-key'
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
  left join aws.iam_account_summary s on p.user_name = '<root_account>' and s.source = p.source and s.account = p.account
  left join users u on u.source = p.source and u.account = p.account and u.user_name = p.user_name
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when user_name = '<root_account>' then coalesce(root_keys::varchar, 'unknown number of') || ' root key' || if(root_keys = 1, '', 's') || ', second factor ' || case when root_mfa then 'on' when not root_mfa then 'off' else 'unknown' end
    else case when guarded then 'no password or a second factor' else 'second factor missing or unknown' end || case when fresh then ', no old key' else ', old key or key of unknown age' end
  end as observed,
  case when user_name = '<root_account>' then 'no root keys, a second factor' else 'a second factor for the console, keys not older than ' || max_key_days || ' day' || if(max_key_days = 1, '', 's') end as expected
from judged
