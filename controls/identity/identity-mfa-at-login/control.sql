with looked_at as (
  select
    p.*,
    list_contains(c.federated_factors, p.factor) as federated,
    case when list_contains(c.key_factors, p.factor) then 'KEYPAIR' when list_contains(c.token_factors, p.factor) then 'PAT' end as key_kind
  from population p
  cross join params c
),
judged as (
  select
    l.*,
    case
      when unclear = 0 and user_name is not null and (federated or (factor = 'PASSWORD' and single = 0) or r."user" is not null) then ''
      when unclear > 0 or user_name is null or factor is null then 'unknown-value'
      when factor = 'PASSWORD' then 'single-factor'
      when e."user" is not null then 'registration-expired'
      when key_kind is not null then 'key-not-allowed'
      else 'unknown-factor'
    end as reason
  from looked_at l
  left join register.human_key_allow r on r."user" = l.user_name and r.kind = l.key_kind
  left join (select distinct "user", kind from register_expired.human_key_allow) e on e."user" = l.user_name and e.kind = l.key_kind
)
select
  item,
  case reason when '' then 'pass' when 'unknown-factor' then 'review' else 'fail' end as result,
  reason,
  logins || ' sign-in' || if(logins = 1, '', 's') || case when federated then ', idp-dependent' when factor = 'PASSWORD' then ', ' || single || ' without a second factor' else '' end
    || case reason when 'registration-expired' then ', the approval has run out' when 'key-not-allowed' then ', not approved for this person' else '' end
    || case when unclear > 0 then ', ' || unclear || ' with an unknown outcome' else '' end as observed,
  'federated, a password with a second factor, or an approved key or token' as expected
from judged
