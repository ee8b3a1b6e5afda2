select distinct
  source || '/' || coalesce(user_name, 'unknown user') || ' as ' || coalesce(role_name, 'unknown role')
    || case state
      when 'read' then ' -> ' || object
      when 'truncated' then ': truncated record ' || coalesce(query_id, '?')
      else ': unreadable record ' || coalesce(query_id, '?')
    end as item
from fact.phi_access
