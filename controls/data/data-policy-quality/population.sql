select
  q.source || '/' || lower(replace(replace(q.kind, '_POLICY', ''), '_', ' ')) || ' ' || q.policy as item,
  q.reason, q.owner, q.roles, q.reads_table, q.observed as flaws
from fact.policy_quality q
