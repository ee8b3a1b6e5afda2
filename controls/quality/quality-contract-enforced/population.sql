select source || '/' || database_name || '.' || schema_name || '.' || object_name as item, source, database_name, schema_name, object_name
from contracts.products
where interface in ('table', 'view')
group by all
