with looked_at as (
  select
    p.item, p.column_name, p.seen, p.contract_policy, p.sources,
    list_contains(c.exempt_classes, p.contract_class) as exempt,
    c.must_tag_based,
    k.is_view, k.has_views, k.policies, k.via_tag, k.policy_status, k.policy, k.policy_name, k.policy_found,
    k.family, k.argument_family, k.return_family, k.passes_through, k.asks_invoker,
    p.contract_policy is null or upper(p.contract_policy) in (upper(k.policy_name), upper(k.policy)) as as_agreed,
    k.argument_family = k.family and k.return_family = k.family as fits,
    k.asks_invoker and (k.is_view or k.has_views) as of_the_owner,
    q.reason in ('', 'invoker-role') as sound,
    q.observed as flaws
  from population p
  cross join params c
  left join fact.column_protection k
    on k.source = p.source and k.database_name = p.database_name and k.schema_name = p.schema_name
    and k.object_name = p.object_name and k.column_name = p.column_name
  left join fact.policy_quality q on q.source = k.source and q.policy = k.policy and q.kind = 'MASKING_POLICY'
),
judged as (
  select
    *,
    case
      when exempt
        or (policies = 1 and upper(policy_status) = 'ACTIVE' and policy_found and as_agreed and fits and not passes_through
          and sound and not of_the_owner and (via_tag or not must_tag_based)) then ''
      when column_name is null then 'columns-unknown'
      when not seen then 'column-not-seen'
      when policies is null and is_view then 'unresolved'
      when policies is null then 'no-policy'
      when policies > 1 then 'policy-conflict'
      when policy_status is null then 'unknown-value'
      when upper(policy_status) <> 'ACTIVE' then 'policy-inactive'
      when not policy_found then 'policy-unknown'
      when not as_agreed then 'other-policy'
      when not fits then 'type-mismatch'
      when passes_through then 'pass-through'
      when of_the_owner then 'invoker-role'
      when not sound then 'policy-quality'
      when must_tag_based and not via_tag then 'not-tag-based'
      else 'unknown-value'
    end as reason
  from looked_at
)
select
  item,
  case
    when reason = '' then 'pass'
    when reason in ('columns-unknown', 'column-not-seen', 'unresolved') then 'review'
    else 'fail'
  end as result,
  reason,
  concat_ws('; ',
    'declared by ' || sources,
    case when exempt then 'of a class that needs no mask' end,
    case when column_name is null then 'no column of it known' when not seen then 'COLUMNS does not show the column' end,
    case when policies is null then case when is_view then 'no policy of its own, a view' else 'no policy' end when policies > 1 then policies || ' policies name it, the first: ' || policy else 'policy ' || policy end
      || case when via_tag then ' through a tag' else '' end,
    case when policies is null then null when policy_status is null then 'state of the policy not known' when upper(policy_status) = 'ACTIVE' then 'active' else 'not active: ' || policy_status end,
    case when policies is not null and not policy_found then 'not among the live policies' end,
    case when policies is not null and not as_agreed then 'not the one the contract names, ' || contract_policy end,
    case when policy_found and fits is not true then 'column ' || coalesce(family, 'of unknown type') || ', policy takes ' || coalesce(argument_family, 'an unknown type') || ' and gives ' || coalesce(return_family, 'an unknown type') end,
    case when passes_through then 'returns its argument unchanged' end,
    case when of_the_owner then 'asks for the invoker''s role, and through a view that is the owner''s' end,
    case when policy_found and not sound then 'the policy: ' || flaws end,
    case when must_tag_based and not via_tag then 'set on the column, not on its tag' end
  ) as observed,
  'one active masking policy of the column''s type, as reviewed' || case when must_tag_based then ', through a tag' else '' end || case when contract_policy is null then '' else ', the one the contract names' end as expected
from judged
