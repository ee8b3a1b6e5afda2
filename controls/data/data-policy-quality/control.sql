select
  item,
  case when reason = '' then 'pass' when reason = 'invoker-role' then 'review' else 'fail' end as result,
  reason,
  concat_ws('; ',
    nullif(flaws, ''),
    -- of a policy that is not live nothing more is known
    case when reason <> 'policy-unknown' and flaws <> 'name not known' then
      coalesce('owner ' || owner, 'owner not known') || '; ' || case when len(roles) > 0 then 'names roles: ' || array_to_string(list_sort(list_distinct(roles)), ', ') else 'names no role' end
      || case when reads_table then '; reads a table' else '' end
    end
  ) as observed,
  'the reviewed body, roles and owner' as expected
from population
