with people as (
  select
    person_id, status in ('active', 'leave', 'pre_start') as current, lower(email) as email,
    lower(unnest([login_name, email] || coalesce(former_logins ->> '$[*]', []))) as name
  from records.roster
  where kind is distinct from 'group'
),
answers as (
  select distinct n.item, n.source, n.second, r.person_id, r.current, r.email = n.email as own_email
  from (select item, source, second, email, unnest(names) as name from population) n
  join people r on r.name = n.name
),
logins as (
  select source, person_id, count(distinct item) as logins from answers where current and not second group by all
),
found as (
  select
    a.item,
    count(distinct a.person_id) filter (where a.current) as persons,
    bool_or(a.own_email) filter (where a.current) as own_email,
    max(l.logins) as logins
  from answers a
  left join logins l on l.source = a.source and l.person_id = a.person_id
  group by all
),
sign_ins as (
  select l.source, l.user_name, l.event_timestamp, l.client_ip, c.max_parallel_ips, c.window_minutes
  from snowflake.login_history l
  cross join params c
  where upper(l.is_success) is distinct from 'NO' and not list_contains(c.ignore_client_ips, l.client_ip)
),
windows as (
  select
    source, user_name,
    count(distinct client_ip) over (
      partition by source, user_name order by event_timestamp range between to_minutes(window_minutes) preceding and current row
    ) as addresses
  from sign_ins
  where (source, user_name) in (select (source, user_name) from sign_ins group by source, user_name, max_parallel_ips having count(distinct client_ip) > max_parallel_ips)
),
busiest as (
  select source, user_name, max(addresses) as addresses from windows group by all
),
judged as (
  select
    p.item, p.generic, p.email, p.emergency, f.persons, f.own_email, f.logins, b.addresses, c.max_parallel_ips,
    case
      when p.emergency then ''
      when f.persons = 1 and f.own_email and (p.second or f.logins = 1) and not p.generic and coalesce(b.addresses, 0) <= c.max_parallel_ips then ''
      when p.generic then 'generic-name'
      when p.email is null then 'no-email'
      when f.persons is null then 'orphan'
      when f.persons = 0 then 'departed'
      when f.persons > 1 then 'several-people'
      when f.logins > 1 and not p.second then 'second-login'
      when f.own_email is null then 'unknown-value'
      when not f.own_email then 'other-email'
      else 'many-addresses'
    end as reason
  from population p
  cross join params c
  left join found f on f.item = p.item
  left join busiest b on b.source = p.source and b.user_name = p.user_name
)
select
  item,
  case reason when '' then 'pass' when 'many-addresses' then 'review' else 'fail' end as result,
  reason,
  coalesce(persons, 0) || if(persons = 1, ' current person, ', ' current people, ') || coalesce(logins, 0) || ' login' || if(logins = 1, '', 's') || ' of the person'
    || case when generic then ', a generic name' else '' end || case when email is null then ', no e-mail' when not own_email then ', another e-mail than in the roster' else '' end || case when emergency then ', emergency login' else '' end
    || case when addresses > max_parallel_ips then ', ' || addresses || ' addresses' else '' end as observed,
  'one current person with one login and the same e-mail' as expected
from judged
