select 'register/' || system as item, system from fact.vendor_systems where holds_phi or subservice
