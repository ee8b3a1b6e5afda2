select 'register/vendor ' || system as item, 'vendor' as kind, system as name from fact.vendor_systems where holds_phi
union all
select 'register/account ' || name, 'account', name from register.boundary where kind = 'snowflake_account' and inside
