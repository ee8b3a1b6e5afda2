with entries as (
  select privilege, object_type, object, false as expired from register.public_baseline
  union all
  select privilege, object_type, object, true from register_expired.public_baseline
),
looked_at as (
  select
    p.item, p.source, p.object_type, p.future, p.unnamed,
    bool_or(not e.expired) as covered
  from population p
  left join entries e
    on not p.future and e.privilege = p.privilege and e.object_type = p.object_type
    and (e.object = p.object or (e.object like '%.*' and starts_with(p.object, e.object[:-2])))
  group by all
),
counts as (
  select source, count(*) filter (where unnamed is null) as grants, count(*) filter (where covered) as covered from looked_at group by all
),
judged as (
  select
    l.*, c.grants, c.covered as baseline,
    case
      when l.unnamed = 0 or l.covered then ''
      when l.unnamed > 0 then 'unknown-value'
      when l.future then 'future-grant'
      when not l.covered then 'registration-expired'
      when l.object_type in ('ROLE', 'DATABASE_ROLE', 'DATABASE ROLE', 'APPLICATION_ROLE') then 'role-to-public'
      else 'privilege-to-public'
    end as reason
  from looked_at l
  join counts c on c.source = l.source
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when unnamed is not null then grants || ' grant' || if(grants = 1, '', 's') || ' to PUBLIC, ' || baseline || ' of them in the baseline, ' || unnamed || ' grant' || if(unnamed = 1, '', 's') || ' without a holder' else if(future, 'future grant to PUBLIC', 'granted to PUBLIC' || case when covered then ', in the baseline' when not covered then ', its approval has run out' else ', not in the baseline' end) end as observed,
  case when unnamed is not null then 'every grant names its holder' when reason = 'future-grant' then 'no future grant' else 'not granted, or in the baseline' end as expected
from judged
