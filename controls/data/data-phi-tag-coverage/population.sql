-- what only the tag says is left out: it could not fail
select distinct
  p.source || '/' || concat_ws('.', p.database_name, p.schema_name, p.object_name, coalesce(p.column_name, '*')) as item,
  p.source, p.column_name, p.seen, p.state, p.sources, p.contract_class
from fact.phi_columns p
where p.sources <> 'tag'
