-- probes and grants of the collector are what is asked with, not what is asked about
select
  r.source || '/' || r.dataset as item, r.status, r.landed, r.empty_word = 'nothing' and r.empty_ground <> '' as shown_empty,
  v.dataset is not null as asked, v.visible, coalesce(r.landed < v.row_cap, v."read" <> 'show') as whole,
  len(v.columns_missing) as columns_missing, len(v.roles_any_of) as roles_needed, len(v.roles_held) as roles_held,
  v.probe is null or v.probe_seen as probed
from ops.receipts r
left join snowflake.collector_visibility v on v.source = r.source and v.dataset = r.dataset
where r.dataset like 'snowflake.%' and r.dataset not like 'snowflake.collector%'
