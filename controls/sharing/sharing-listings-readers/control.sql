with open_shares as (
  select o.object_name as share
  from contracts.products o
  cross join params c
  where o.interface = 'share'
  group by all
  having bool_and(coalesce(list_contains(c.public_classes, lower(o.classification)), false))
),
named as (
  select n.item, count(*) as accounts, count(r.account) as approved
  from (select item, share, unnest(accounts) as account from population) n
  left join register.counterparties r on upper(r.account) = upper(n.account) and list_contains(r.shares, n.share)
  group by all
),
judged as (
  select
    p.item, p.kind, p.state, p.distribution, p.account, n.accounts, n.approved, e.ended,
    case
      when p.state in ('DRAFT', 'UNPUBLISHED') or (p.state = 'PUBLISHED' and (p.distribution = 'ORGANIZATION' or o.share is not null or (n.accounts = n.approved and p.target_kinds = 1))) then ''
      when r.account is not null then ''
      when p.state = 'PUBLISHED' and p.distribution is not null then case when n.accounts > 0 and p.target_kinds = 1 then 'target-not-registered' else 'open-listing' end
      when p.account is null then 'unknown-value'
      when e.account is not null then 'registration-expired'
      else 'reader-not-registered'
    end as reason
  from population p
  left join open_shares o on o.share = p.share
  left join named n on n.item = p.item
  left join register.counterparties r on upper(r.account) = upper(p.account)
  left join (select upper(account) as account, max(expires) as ended from register_expired.counterparties group by all) e on e.account = upper(p.account)
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case kind
    when 'listing' then lower(coalesce(state, 'state not known')) || ', ' || lower(coalesce(distribution, 'distribution not known')) || ', ' || if(accounts > 0, approved || ' of ' || accounts || ' named account' || if(accounts = 1, '', 's') || ' registered', 'names no account')
    else case when reason = '' then 'registered' when account is null then 'account not known' else coalesce('registration ran out on ' || ended, 'not registered') end
  end as observed,
  case kind when 'listing' then 'not published, inside the organisation, public by contract, or for registered accounts only' else 'registered' end as expected
from judged
