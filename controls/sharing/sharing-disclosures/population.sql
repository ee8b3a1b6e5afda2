-- A share that a listing offers has consumers that SHARES does not name. Several contracts of one object: each is a flow of its own.
with consumers as (
  select source, name, trim(t.target) as target
  from snowflake.shares
  cross join unnest(string_split(coalesce(nullif(target_accounts, ''), 'listing ' || listing_global_name, ''), ',')) as t(target)
  where deleted_on is null and trim(t.target) <> ''
),
contracts as (
  select distinct p.database_name, p.schema_name, p.object_name, p.product, lower(p.legal_basis) as legal_basis, list_contains(s.not_phi_classes, lower(p.classification)) as harmless
  from contracts.products p
  cross join settings s
)
select
  'flow' as kind, c.source || '/' || c.name || ' -> ' || c.target || ' ' || coalesce(p.product, 'no contract') as item,
  c.name as flow, c.target, p.product,
  bool_and(coalesce(list_contains(a.exempt_basis, p.legal_basis), false)) as exempt, min(p.legal_basis) as legal_basis,
  null::date as disclosed_on, null::date as last_on, null as frequency, null::bool as recurring, null::date as recorded_on, null::date as keep_until
from consumers c
cross join params a
join snowflake.grants_to_shares g on g.source = c.source and g.share_name = c.name and g.deleted_on is null and coalesce(upper(g.granted_on) not in ('DATABASE', 'SCHEMA'), true)
left join contracts p on p.database_name = g.object_database and p.schema_name = g.object_schema and p.object_name = g.object_name
where p.harmless is distinct from true
group by all
union all
select 'entry', 'register/entry ' || id, flow, recipient_account, product, null, legal_basis, disclosed_on, last_on, frequency, recurring, recorded_on, keep_until
from register.disclosures
cross join params a
where recorded_on <= a.night
qualify row_number() over (partition by id order by recorded_on desc) = 1
