-- A class that is not known to be free of PHI counts as PHI. An agreement that ran out does not take a system out of scope.
with entries as (
  select *, true as in_force from register.vendors
  union all
  select *, false from register_expired.vendors
),
newest as (
  select *, min(approved_on) over (partition by system) as since
  from entries
  qualify row_number() over (partition by system order by in_force desc, approved_on desc) = 1
)
select
  n.* exclude (approved_by, approved_on),
  len(n.data_classes) = 0 or len(list_filter(n.data_classes, lambda class: not list_contains(s.not_phi_classes, lower(trim(class))))) > 0 as holds_phi
from newest n
cross join settings s
where coalesce(n.ended_on > s.night, true)
