select distinct source || '/' || coalesce(user_name, 'unknown user') || ' as ' || coalesce(role_name, 'unknown role') || ' in ' || coalesce(database_name, 'unknown database') || '.' || coalesce(schema_name, '?') as item
from fact.prod_statement
where is_write
