select 'register/' || s.specification as item, s.specification from params c cross join unnest(c.specifications) as s(specification)
