select source || '/' || name as item, source, name, auto_suspend, lower(auto_resume) as auto_resume, max_cluster_count
from snowflake.warehouses
where not starts_with(name, 'SYSTEM$')
