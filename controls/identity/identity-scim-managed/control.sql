with looked_at as (
  select
    p.*,
    p.source in (
      select source from snowflake.integrations where upper(category) = 'SECURITY' and upper(type) like 'SCIM%' and lower(enabled) = 'true'
    ) as scim,
    list_contains(c.scim_owner_roles, p.owner) as provisioned,
    p.user_name in (select "user" from register.break_glass) as emergency,
    p.user_name in (select "user" from register_expired.break_glass) as expired
  from population p
  cross join params c
),
judged as (
  select
    *,
    case
      when user_name is null and scim then ''
      when user_name is null then 'no-scim'
      when provisioned or emergency then ''
      when expired then 'registration-expired'
      when owner is null then 'unknown-value'
      else 'made-by-hand'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when user_name is null then case when scim then 'SCIM enabled' else 'no SCIM enabled' end
    else 'owner ' || coalesce(owner, 'not known') || case when emergency then ', emergency login' else '' end
  end as observed,
  case when user_name is null then 'an enabled SCIM integration' else 'owned by the provisioning, or an emergency login' end as expected
from judged
