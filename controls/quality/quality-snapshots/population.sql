-- A dimension of the register is no row of any source: each project is asked for it once.
select s.source || '/' || h.dimension as item, s.source, h.snapshot, h.business_key as business_key
from register.history_tables h
cross join (select distinct source from dbt.nodes) s
where exists (select 1 from dbt.nodes n where n.source = s.source and n.unique_id = h.snapshot)
  or not exists (select 1 from dbt.nodes n where n.unique_id = h.snapshot)
union all
select distinct n.source || '/' || n.unique_id, n.source, n.unique_id, null::varchar[]
from dbt.nodes n
where n.resource_type = 'snapshot' and n.enabled is distinct from false
  and not exists (select 1 from register.history_tables h where h.snapshot = n.unique_id)
