select s.source || '/' || k.kind as item, s.source, k.kind, case k.kind when 'dr_test' then c.dr_cadence_days else c.restore_cadence_days end as cadence
from (select distinct source from records.tickets) s
cross join params c
cross join (select unnest(required_types) as kind from params) k
