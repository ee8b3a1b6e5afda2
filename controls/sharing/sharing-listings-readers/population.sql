select
  source || '/listing ' || name || ' (' || global_name || ')' as item, 'listing' as kind, source, upper(state) as state, upper(distribution) as distribution, share,
  json_extract_string(targets, '$.accounts[*]') as accounts, len(json_keys(targets)) as target_kinds, null as account
from snowflake.listings
where deleted_on is null
union all
select source || '/reader ' || coalesce(account_name, '?') || ' (' || coalesce(account_locator, '?') || ')', 'reader', source, null, null, null, null, null, account_locator
from snowflake.managed_accounts
