-- A password flag that is not known keeps the person in scope.
select source || '/' || user_name as item, source, user_name, has_password, has_mfa, ext_authn_duo, bypass_mfa_until, created_on
from fact.user
where kind = 'human' and active and has_password is distinct from false
