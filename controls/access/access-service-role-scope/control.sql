with admins as (
  select
    r.source, r.start_role as role, bool_and(r.role is null) as unknown,
    coalesce('reaches administrator role' || if(count(distinct r.role) = 1, ': ', 's: ') || string_agg(distinct r.role, ', ' order by r.role), 'reaches a role that is not known') as observed
  from fact.role_reach r
  cross join params c
  where r.role is null or list_contains(c.admin_roles, r.role)
  group by all
),
holders as (
  select
    e.source, e.role,
    bool_or(e.holder_kind = 'USER' and coalesce(u.kind, 'human') <> 'service') as people,
    bool_or(e.holder_kind <> 'USER' and not list_contains(c.system_parents, e.holder)) as roles,
    list_sort(list_distinct(list(e.holder order by e.holder) filter (where e.holder_kind = 'USER' and coalesce(u.kind, 'human') <> 'service'))) as strangers,
    list_sort(list_distinct(list(e.holder order by e.holder) filter (where e.holder_kind <> 'USER' and not list_contains(c.system_parents, e.holder)))) as heirs
  from fact.role_edges e
  cross join params c
  left join fact.user u on u.source = e.source and u.user_name = e.holder and e.holder_kind = 'USER'
  where coalesce(u.live, true)
  group by all
),
entries as (
  select role, place, privileges, false as expired from register.service_baselines
  union all
  select role, place, privileges, true from register_expired.service_baselines
),
allowed as (
  select p.item, bool_or(not e.expired) as in_force
  from population p
  join entries e
    on e.role = p.role and list_contains(e.privileges, p.privilege)
    and (e.place = p.place or (e.place like '%.*' and starts_with(p.place || '.', e.place[:-2])))
  group by all
),
judged as (
  select
    p.item, p.kind, a.observed as reached,
    concat_ws('; ',
      if(len(h.strangers) = 1, 'held by a user that is no service: ', 'held by users that are no services: ') || array_to_string(h.strangers[:10], ', ') || if(len(h.strangers) > 10, ' and ' || (len(h.strangers) - 10) || ' more', ''),
      'inherited by: ' || array_to_string(h.heirs[:10], ', ') || if(len(h.heirs) > 10, ' and ' || (len(h.heirs) - 10) || ' more', '')
    ) as held,
    case p.kind
      when 'role' then case
        when a.role is null and not coalesce(h.people or h.roles, false) then ''
        when h.people then 'held-by-person'
        when h.roles then 'granted-to-role'
        when a.unknown then 'unknown-value'
        else 'reaches-admin'
      end
      when 'hold' then case
        when l.in_force then ''
        when l.item is not null then 'registration-expired'
        when p.privilege is null or p.place is null then 'unknown-value'
        else 'outside-baseline'
      end
      when 'missing' then 'missing-role'
      else 'unknown-value'
    end as reason,
    -- what the role may do there, to be read beside what it holds
    (
      select string_agg(distinct x.privilege, ', ' order by x.privilege)
      from (select role, place, unnest(privileges) as privilege from register.service_baselines) x
      where x.role = p.role and (x.place = p.place or (x.place like '%.*' and starts_with(p.place || '.', x.place[:-2])))
    ) as observed
  from population p
  left join admins a on a.source = p.source and a.role = p.role
  left join holders h on h.source = p.source and h.role = p.role
  left join allowed l on l.item = p.item
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case kind
    when 'hold' then case reason
      when '' then 'held, on record'
      when 'registration-expired' then 'held, the record of it has run out'
      when 'unknown-value' then 'held, privilege or place not known'
      else 'held, not on record; on record for the role there: ' || coalesce(observed, 'nothing')
    end
    when 'missing' then 'no such role'
    when 'unknown' then 'a grant that does not say who holds which role'
    else coalesce(nullif(concat_ws('; ', nullif(held, ''), reached), ''), 'held by services and system roles only, reaches no administrator role')
  end as observed,
  case kind when 'hold' then 'on record for the role and place' else 'held by services and system roles only, no administrator role' end as expected
from judged
