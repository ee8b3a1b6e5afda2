-- a window that is missing was collected by nobody; that nothing ran at all is an item too
with ran as (
  select 'tool' as kind, tool_version as identity, tool_version as short from ops.receipts where status is distinct from 'missing'
  union all
  select 'controls', library_sha256, left(library_sha256, 12) from ops.findings where status is distinct from 'missing'
)
select distinct k.kind || ' ' || coalesce(r.short, 'not named') as item, k.kind, r.identity
from unnest(['tool', 'controls']) k(kind)
left join ran r on r.kind = k.kind
