with looked_at as (
  select
    p.*,
    case when p.admin_role = 'ACCOUNTADMIN' then c.max_accountadmin else c.max_others end as most,
    c.min_holders as least,
    a."user" is not null as registered,
    e."user" is not null as expired
  from population p
  cross join params c
  left join (select distinct "user", role from register.admins) a on a."user" = p.user_name and a.role = p.admin_role
  left join (select distinct "user", role from register_expired.admins) e on e."user" = p.user_name and e.role = p.admin_role
),
judged as (
  select
    *,
    case
      when user_name is null and reached >= least and own <= most then ''
      when user_name is not null and registered and kind = 'human' and email is not null then ''
      when reached < least then 'too-few'
      when own > most then 'too-many'
      when user_name is null or kind is null then 'unknown-value'
      when not registered and expired then 'registration-expired'
      when not registered then 'not-registered'
      when kind <> 'human' then 'service-holder'
      when email is null then 'no-email'
      else 'unknown-value'
    end as reason
  from looked_at
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when user_name is null then reached || ' active holder' || if(reached = 1, '', 's') || ', ' || own || if(reached = 1, '', ' of them') || ' not through another administrator role'
    else coalesce(kind, 'unknown') || case when registered then ', registered' when expired then ', registration expired' else ', not registered' end
      || case when email is null then ', no e-mail' else '' end
  end as observed,
  case when user_name is null then least || ' to ' || most || ' holder' || if(most = 1, '', 's') else 'a registered person with an e-mail address' end as expected
from judged
