with judged as (
  select
    *,
    case
      when not wrong and (not holds_admin or not (unnamed or more)) then ''
      when kind = 'grant' and not wrong then ''
      when wrong then case kind when 'user' then 'admin-default-role' when 'grant' then 'admin-role-granted' else 'admin-owner' end
      when more then case kind when 'user' then 'admin-secondary-roles' else 'runs-as-admin' end
      else 'unknown-value'
    end as reason
  from population
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case kind
    when 'user' then case when holds_admin then 'holds an administrator role' else 'holds no administrator role' end
      || case when wrong then ', by default' when unnamed then ', no default role' else ', another default role' end
      || case when more then ', secondary roles on' when more is null then ', secondary roles not set' else ', no secondary roles' end
    when 'grant' then case when unnamed then 'not known' when wrong then 'outside the system hierarchy' else 'system hierarchy' end
    else case when wrong then 'owned by an administrator role' when unnamed then 'owner not shown' else 'owned by another role' end
  end as observed,
  case kind when 'user' then 'an ordinary default role, no secondary roles' when 'grant' then 'system hierarchy' else 'owned by another role' end as expected
from judged
