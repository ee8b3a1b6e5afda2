with night as (
  select source, count(*) - 1 as peers, sum(row_count) as row_count from population group by source
),
judged as (
  select
    p.item, p.statements, p.row_count, p.off_count, p.uncounted, p.undated, n.peers,
    case
      when p.row_count > c.abs_rows then 'over-limit'
      when p.off_count > c.off_rows then 'off-hours'
      when p.row_count > c.peer_floor and n.peers >= c.min_peers and p.row_count * n.peers > c.peer_factor * (n.row_count - p.row_count) then 'above-peers'
      when p.told then ''
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
  join night n on n.source = p.source
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when uncounted = statements then 'an unknown number of rows' else if(uncounted > 0, 'at least ', '') || row_count || ' row' || if(row_count = 1, '', 's') end
    || ' in ' || statements || ' statement' || if(statements = 1, '', 's') || case when uncounted between 1 and statements - 1 then ' (rows of ' || uncounted || ' not known)' else '' end
    || case when uncounted = statements then '' else ', ' || if(uncounted > 0 or undated > 0, 'at least ', '') || off_count || ' at off hours' end
    || case when undated > 0 then ', ' || undated || ' begun at an unknown time' else '' end
    || ', ' || peers || ' other reader' || if(peers = 1, '', 's') as observed,
  'no unusual volume' as expected
from judged
