with due as (
  select night::timestamp - to_hours(redrive_hours) as since, night::timestamp + to_hours(24 - redrive_hours) as until from params
)
select distinct h.source || '/load ' || concat_ws('.', h.table_catalog_name, h.table_schema_name, coalesce(h.table_name, h.table_id::varchar)) as item
from snowflake.copy_history h
cross join due d
where coalesce(h.last_load_time >= d.since and h.last_load_time < d.until, true)
union
select h.source || '/task ' || concat_ws('.', h.database_name, h.schema_name, h.name)
from snowflake.task_history h
cross join due d
where coalesce(h.completed_time >= d.since and h.completed_time < d.until, true)
union
select source || '/task ' || concat_ws('.', database_name, schema_name, name) from snowflake.tasks
union
select h.source || '/refresh ' || concat_ws('.', h.database_name, h.schema_name, coalesce(h.name, h.id::varchar))
from snowflake.dynamic_table_refresh_history h
cross join due d
where coalesce(h.refresh_end_time >= d.since and h.refresh_end_time < d.until, true)
union
select source || '/pipe ' || concat_ws('.', database_name, schema_name, name) from snowflake.pipes
union
select source || '/queue ' || concat_ws(' ', system, queue) from records.dlq
