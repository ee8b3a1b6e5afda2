with judged as (
  select
    p.*,
    case p.kind
      when 'power' then case
        when p.holder_kind = 'ROLE' and list_contains(c.system_roles, p.holder) then ''
        when p.holder_kind = 'ROLE' and p.holder is not null and list_contains(c.ordinary, p.privilege) and not list_contains(c.listed, p.privilege) then ''
        when p.holder_kind = 'ROLE' and a.role is not null then ''
        when p.holder is null or p.privilege is null then 'unknown-value'
        when p.holder_kind = 'USER' then 'user-privilege'
        when e.role is not null then 'registration-expired'
        when not list_contains(c.listed, p.privilege) then 'unknown-privilege'
        when p.amount > 0 then 'inherited'
        else 'not-approved'
      end
      when 'option' then case
        when p.holder is not null and p.amount = 0 and p.unknown = 0 then ''
        when list_contains(c.system_roles, p.holder) or k.class in ('admin', 'system') then ''
        when p.amount > 0 then 'grant-option'
        else 'unknown-value'
      end
      else case
        when p.amount = 0 and p.unknown = 0 then ''
        when p.amount > 0 then 'not-managed'
        else 'unknown-value'
      end
    end as reason
  from population p
  cross join params c
  left join register.privileged_roles a on a.role = p.holder and a.privilege = p.privilege
  left join (select distinct role, privilege from register_expired.privileged_roles) e on e.role = p.holder and e.privilege = p.privilege
  left join register.role_classes k on k.role = p.holder
)
select
  item,
  case when reason = '' then 'pass' when reason = 'unknown-privilege' then 'review' else 'fail' end as result,
  reason,
  case kind
    when 'power' then case when amount > 0 then 'inherited' else 'held' end || case reason when '' then '' when 'registration-expired' then ', its approval has run out' when 'not-approved' then ', not approved' else '' end
    when 'option' then amount || ' grant' || if(amount = 1, '', 's') || ' with grant option, ' || unknown || ' not known'
    else case when amount > 0 then 'not managed' when unknown > 0 then 'not known' else 'managed access' end
  end as observed,
  case kind when 'power' then 'a system role or an approval' when 'option' then 'no grant option' else 'managed access' end as expected
from judged
