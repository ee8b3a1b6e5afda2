-- TARGET_ACCOUNTS and allowed_accounts are lists with commas; the group of a secondary repeats what the primary allows, or nothing.
with offered as (
  select source, 'share' as kind, name, created_on, target_accounts as accounts
  from snowflake.shares
  where deleted_on is null and (listing_global_name is not null and trim(target_accounts) = '') is not true
  union all
  select source, 'group', name, null, allowed_accounts
  from snowflake.replication_groups_show
  where (lower(is_primary) = 'false' and coalesce(trim(allowed_accounts), '') = '') is not true
),
aimed as (
  select source, kind, name, created_on, accounts is not null as known, unnest(string_split(coalesce(accounts, ''), ',')) as account from offered
)
select
  source || '/' || kind || ' ' || name || ' -> ' || coalesce(nullif(trim(account), ''), 'nobody') as item,
  source, kind, name, nullif(trim(account), '') as account, min(created_on) as created_on, bool_and(known) as known
from aimed
group by all
