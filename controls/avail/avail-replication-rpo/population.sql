select
  coalesce(d.source || '/', '') || r.database as item, d.source, r.database, r.failover_group, r.replica_source,
  least(r.rpo_minutes, c.max_rpo_minutes) as rpo_minutes
from register.critical_databases r
cross join params c
left join snowflake.databases d on d.name = r.database and d.source <> r.replica_source
