select
  item,
  case when reason = '' then 'pass' when reason = 'invoker-role' then 'review' else 'fail' end as result,
  reason,
  'owner ' || coalesce(owner, 'unknown') || ', names roles: ' || case when len(roles) > 0 then array_to_string(list_sort(list_distinct(roles)), ', ') else 'none' end
    || case when reads_table then ', reads a table' else '' end as observed,
  'the reviewed body, roles and owner' as expected
from population
