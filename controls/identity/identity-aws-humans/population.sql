-- The root user's row in the credential report is left to the account summary. An account that the report names and the summary does not has no answer for its root.
with accounts as (
  select source, account from aws.iam_account_summary
  union
  select source, account from aws.iam_credential_report
)
select source || '/' || coalesce(account, '?') || ' root' as item, source, account, '<root_account>' as user_name, true as collected from accounts
union all
select 'register/' || r.account || ' root', null, r.account, '<root_account>', false
from (select account from register.aws_accounts where kind = 'own' except select account from accounts) r
union all
select distinct source || '/' || coalesce(account, '?') || ' user ' || coalesce(user_name, '?'), source, account, user_name, true
from aws.iam_credential_report
where user_name is distinct from '<root_account>'
