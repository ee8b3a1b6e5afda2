-- The day of discovery is never later than the ticket; all limits are calendar days.
select
  source || '/' || system || ' ' || id as item,
  case when opened_at < discovered_at then opened_at else discovered_at end::date as since,
  lower(phi_involved) as phi, individuals, try_cast(try_cast(residents_by_state as json) as map(varchar, bigint)) as residents,
  factor_nature is not null and factor_recipient is not null and factor_acquired is not null and factor_mitigation is not null as factors,
  case when decided_by is not null and decided_at is not null then lower(decision) end as decision,
  notified_individuals_at::date as told_individuals, notified_hhs_at::date as told_hhs, notified_media_at::date as told_media, notified_entity_at::date as told_entity,
  le_delay_until::date as delayed_until
from records.tickets
where lower(type) = 'privacy_incident'
