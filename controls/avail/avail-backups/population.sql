select coalesce(d.source || '/', '') || r.database as item, d.source, r.database
from register.critical_databases r
left join snowflake.databases d on d.name = r.database and d.source <> r.replica_source
where not r.rebuildable
