-- a bucket whose registration ran out still holds evidence
select account || '/' || bucket as item, account, bucket, bool_or(live) as live
from (
  select account, bucket, true as live from register.evidence_buckets
  union all
  select account, bucket, false from register_expired.evidence_buckets
)
group by all
