-- Credentials of users that are disabled, expired or dropped cannot be used; those of users we do not know may be.
with held as (
  select
    c.source, c.credential_id, c.user_name, upper(c.type) as type, c.name, c.created_on, c.expiration_date,
    nullif(trim(c.additional_details ->> '$.ROLE_RESTRICTION'), '') as role,
    coalesce(c.additional_details ->> '$.MINS_TO_BYPASS_NETWORK_POLICY_REQUIREMENT', '0') not in ('0', '') as bypass
  from snowflake.credentials c
  where upper(c.type) in ('KEYPAIR', 'PAT') and coalesce(upper(c.status), 'ACTIVE') not in ('EXPIRED', 'DISABLED')
)
select
  h.source || '/' || coalesce(h.user_name, 'unknown user') || case h.type when 'PAT' then ' token ' else ' key pair ' end || h.credential_id as item,
  h.source, h.user_name, h.type, h.name, h.created_on, h.expiration_date, h.role, h.bypass, true as listed
from held h
where not exists (select 1 from fact.user u where u.source = h.source and u.user_name = h.user_name)
  or exists (select 1 from fact.user u where u.source = h.source and u.user_name = h.user_name and u.active)
union all
select u.source || '/' || u.user_name || case k.type when 'PAT' then ' token' else ' key pair' end, u.source, u.user_name, k.type, null, null, null, null, null, false
from fact.user u
cross join (values ('KEYPAIR'), ('PAT')) k(type)
where u.active and u.kind <> 'platform'
  and case k.type when 'PAT' then u.has_pat else u.has_rsa_public_key end
  and not exists (select 1 from held h where h.source = u.source and h.user_name = u.user_name and h.type = k.type)
