with contracts_by_object as (
  select database_name || '.' || schema_name || '.' || object_name as path, roles_allowed, inherited_by, system_parents
  from contracts.products
  where column_name is null and interface is distinct from 'share'
),
allowed as (
  select distinct path, unnest(roles_allowed || coalesce(inherited_by, []) || coalesce(system_parents, [])) as role
  from contracts_by_object
),
described as (
  select path, bool_or(roles_allowed is not null) as stated from contracts_by_object group by all
),
readers as (
  select source, path, count(*) as readers from population where kind = 'reader' group by all
),
judged as (
  select
    p.item, p.kind, p.depth, p.hits, c.path is not null as contracted, coalesce(r.readers, 0) as readers,
    case
      when p.kind = 'object' and c.stated then ''
      when a.role is not null and p.holder_kind <> 'USER' and p.holder <> 'PUBLIC' then ''
      when p.kind = 'collector' and p.holder is not null and p.hits = 0 then ''
      when p.kind = 'object' and c.path is null then 'no-contract'
      when p.hits > 0 then 'collector-reads'
      when not c.stated then 'unknown-value'
      when p.holder = 'PUBLIC' then 'public-reader'
      when p.depth = 0 and p.holder is not null then 'role-not-allowed'
      when p.depth > 0 then 'inherited-not-allowed'
      else 'unknown-value'
    end as reason
  from population p
  left join described c on c.path = p.path
  left join allowed a on a.path = p.path and a.role = p.holder
  left join readers r on r.source = p.source and r.path = p.path
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case kind
    when 'object' then case when contracted then 'under contract, ' || readers || ' holder' || if(readers = 1, '', 's') || ' found' else 'no contract' end
    when 'reader' then case when depth = 0 then 'holds it' when depth > 0 then 'inherits it' else 'a grant that does not say on what' end
    else hits || ' way' || if(hits = 1, '', 's') || ' to PHI'
  end as observed,
  case kind when 'object' then 'a contract that says who may read' when 'reader' then 'a role that the contract names' else 'no way to PHI' end as expected
from judged
