with looked_at as (
  select
    p.*,
    c.as_of - to_days(c.key_max_days::integer) as oldest,
    count(*) filter (where p.type = 'KEYPAIR' and p.created_on < c.as_of - to_days(c.overlap_days::integer)) over (partition by p.source, p.user_name) as settled_keys,
    p.created_on + to_days(c.pat_max_days::integer) as latest_end,
    c.key_max_days, c.pat_max_days
  from population p
  cross join params c
),
judged as (
  select
    l.*,
    case
      when type = 'KEYPAIR' and created_on >= oldest and settled_keys < 2 then ''
      when type = 'PAT' and r."user" is not null and expiration_date <= latest_end and regexp_matches(role, '^(\["[^"]+"\]|[^\[\]{}",]+)$') and not bypass then ''
      when not listed then 'age-unknown'
      when created_on is null then 'unknown-value'
      when type = 'KEYPAIR' and created_on < oldest then 'key-too-old'
      when type = 'KEYPAIR' then 'two-keys'
      when r."user" is null and e."user" is not null then 'registration-expired'
      when r."user" is null then 'token-not-allowed'
      when expiration_date is null then 'no-expiry'
      when expiration_date > latest_end then 'token-too-long'
      when bypass then 'bypasses-network'
      else 'no-role'
    end as reason,
    r."user" is not null as approved, e."user" is not null as once_approved,
    -- the list of roles as words: SHOW gives it as JSON
    regexp_replace(regexp_replace(role, '[\[\]{}"]', '', 'g'), '\s*,\s*', ', ', 'g') as roles
  from looked_at l
  left join register.human_key_allow r on r."user" = l.user_name and r.kind = 'PAT'
  left join (select distinct "user" from register_expired.human_key_allow where kind = 'PAT') e on e."user" = l.user_name
)
select
  item,
  case reason when '' then 'pass' when 'age-unknown' then 'review' else 'fail' end as result,
  reason,
  case
    when not listed then 'set, and not listed'
    else coalesce(name, 'no name') || ', created ' || coalesce(strftime(created_on, '%Y-%m-%d'), 'at an unknown time')
      || case
        when type = 'PAT' then case when approved then ', approved' when once_approved then ', approval run out' else ', not approved' end
          || ', ends ' || coalesce(strftime(expiration_date, '%Y-%m-%d'), 'never') || coalesce(if(contains(roles, ','), ', roles ', ', role ') || nullif(roles, ''), ', role not restricted')
          || case when bypass then ', may bypass network policies' when bypass is null then ', bypass of network policies not known' else '' end
        when settled_keys > 1 then ', one of ' || settled_keys || ' keys'
        else ''
      end
  end as observed,
  case when type = 'PAT' then 'approved, ' || pat_max_days || ' day' || if(pat_max_days = 1, '', 's') || ' at most, one role, within the network policy' else key_max_days || ' day' || if(key_max_days = 1, '', 's') || ' old at most, and one key' end as expected
from judged
