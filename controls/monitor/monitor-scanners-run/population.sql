select 'register/scan ' || kind || ' ' || tool || ' ' || target as item, kind, tool, target, every_days from register.scanners
union all
select 'register/kind ' || k.kind, k.kind, null, null, null from params c cross join unnest(c.required) as k(kind)
