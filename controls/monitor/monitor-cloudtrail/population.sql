with accounts as (
  select source, account from aws.s3_buckets
  union
  select source, account from aws.trails
),
found as (
  select distinct source, coalesce(account, '?') as account from accounts
)
select source || '/account ' || account as item, source, 'account' as kind, account, null as bucket, true as found from found
union all
select (select coalesce(min(source), 'aws') from found) || '/account ' || r.account, null, 'account', r.account, null, false
from (select distinct account from register.aws_accounts where kind = 'own') r
where r.account not in (select account from found)
union all
select source || '/bucket ' || bucket, source, 'bucket', account, bucket, found from fact.scoped_buckets where phi or evidence or not (registered or audit_logs)
union all
select source || '/log bucket ' || bucket, source, 'log', account, bucket, found from fact.scoped_buckets where bucket in (select bucket from aws.trails)
