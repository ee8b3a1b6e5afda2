with promised as (
  select
    object_name as name,
    bool_and(coalesce(limited_data_set, false)) as limited,
    bool_and(coalesce(deidentified or upper(classification) not like 'PHI%', false)) as no_phi
  from contracts.products
  where interface = 'share'
  group by all
),
judged as (
  select
    p.item, p.account, p.kind, r.organisation, r.own, r.baa_id, r.dua_id, list_contains(r.shares, p.name) as agreed_for, e.ended, o.limited, o.no_phi, c.idle_days,
    case
      when list_contains(r.shares, p.name) and (r.own or r.baa_id is not null or (p.kind = 'share' and (o.no_phi or (o.limited and r.dua_id is not null)))) then ''
      when p.account is null and p.known and p.created_on >= c.as_of - to_days(c.idle_days::integer) then ''
      when p.account is null and p.known and p.created_on is not null then 'no-target'
      when p.account is null then 'unknown-value'
      when r.account is null and e.account is not null then 'registration-expired'
      when r.account is null then 'not-registered'
      when not list_contains(r.shares, p.name) then 'share-not-agreed'
      else 'no-agreement'
    end as reason
  from population p
  cross join params c
  left join register.counterparties r on upper(r.account) = upper(p.account)
  left join (select upper(account) as account, max(expires) as ended from register_expired.counterparties group by all) e on e.account = upper(p.account)
  left join promised o on o.name = p.name
)
select
  item,
  case when reason = '' then 'pass' when reason = 'no-target' then 'review' else 'fail' end as result,
  reason,
  case
    when account is null then 'names nobody'
    else coalesce('registered for ' || organisation || if(agreed_for, '', ', not for this one'), 'registration ran out on ' || ended, 'not registered') || case when organisation is null then '' when own then ', our own' when baa_id is not null then ', business associate agreement' when dua_id is not null then ', data use agreement' else ', no agreement' end
      || case when kind = 'group' then '' when no_phi then ', share called no PHI' when limited then ', share called a limited data set' else ', share may hold PHI' end
  end as observed,
  case when account is null then 'named or removed within ' || idle_days || ' day' || if(idle_days = 1, '', 's') else 'registered for it, with an agreement that fits' end as expected
from judged
