select distinct source || '/account ' || coalesce(account_name, 'unknown') as item, 'snowflake_account' as kind, account_name as name from organization.accounts
union all
select distinct source || '/database ' || coalesce(name, 'unknown'), 'database', name
from snowflake.databases
where (name = 'SNOWFLAKE' and origin like 'SNOWFLAKE.%') is not true
union all
select distinct source || '/account ' || coalesce(account, 'unknown'), 'aws_account', account from aws.iam_account_summary
union all
select distinct source || '/bucket ' || coalesce(name, 'unknown'), 'bucket', name from aws.s3_buckets
