with judged as (
  select
    p.item, p.is_parameter, p.value,
    case
      when p.is_parameter and (lower(p.value) = 'true' or not c.require_parameter) then ''
      when not p.is_parameter and p.granted_to = 'USER' and list_contains(c.allow, upper(p.privilege) || ' ON ' || p.granted_on) then ''
      when p.is_parameter and p.value is null then 'unknown-value'
      when p.is_parameter then 'parameter-not-true'
      when p.granted_to is null then 'unknown-value'
      else 'user-privilege'
    end as reason
  from population p
  cross join params c
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when is_parameter then coalesce(value, 'not shown') when reason = 'unknown-value' then 'granted to an unknown kind of grantee' else 'granted to a user' end as observed,
  case when is_parameter then 'true' else 'granted to a role' end as expected
from judged
