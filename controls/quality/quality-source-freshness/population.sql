select s.source || '/' || s.unique_id as item, s.source, s.unique_id, s.error_after_minutes as limit_minutes
from dbt.sources s
where s.enabled is distinct from false
