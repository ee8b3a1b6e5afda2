with attached as (
  select
    p.item, count(distinct (r.policy_db, r.policy_schema, r.policy_name)) as policies,
    min(concat_ws('.', r.policy_db, r.policy_schema, r.policy_name)) as policy, min(r.policy_name) as policy_name,
    bool_and(upper(r.policy_status) = 'ACTIVE') as active, count(*) = count(r.policy_status) and count(*) = count(r.ref_arg_column_names) as told,
    bool_and(w.policy_name is not null) as live,
    string_agg(distinct concat_ws('.', r.policy_db, r.policy_schema, r.policy_name), ', ' order by concat_ws('.', r.policy_db, r.policy_schema, r.policy_name))
      || case when bool_and(upper(r.policy_status) = 'ACTIVE') then '; active' else coalesce('; not active: ' || string_agg(distinct r.policy_status, ', ' order by r.policy_status) filter (where upper(r.policy_status) <> 'ACTIVE'), '') end
      || if(count(*) = count(r.policy_status), '', '; status not known')
      || if(count(*) = count(r.ref_arg_column_names), '', '; argument columns not known')
      || if(count(*) = count(w.policy_name), '', '; not among the live policies') as observed
  from population p
  join snowflake.policy_references r
    on r.source = p.source and r.ref_database_name = p.database_name and r.ref_schema_name = p.schema_name and r.ref_entity_name = p.object_name
    and upper(r.policy_kind) = 'ROW_ACCESS_POLICY'
  left join snowflake.row_access_policies w
    on w.source = r.source and w.deleted is null and w.policy_catalog = r.policy_db and w.policy_schema = r.policy_schema and w.policy_name = r.policy_name
  group by p.item
),
judged as (
  select
    p.item, p.named, p.seen, p.required, p.table_type, a.policy, a.policy_name, a.policies, a.observed,
    case
      when a.policies = 1 and a.active and a.told and a.live and (p.named is null or p.named in (upper(a.policy_name), upper(a.policy))) then ''
      when not p.seen then 'object-not-seen'
      when a.item is null and not p.required then 'requirement-missing'
      when a.item is null and upper(p.table_type) like '%VIEW%' then 'unresolved'
      when a.item is null then 'no-policy'
      when a.policies > 1 then 'policy-conflict'
      when not a.told then 'unknown-value'
      when not a.active then 'policy-inactive'
      when not a.live then 'policy-unknown'
      when p.named is not null then 'other-policy'
      else 'unknown-value'
    end as reason
  from population p
  left join attached a on a.item = p.item
)
select
  item,
  case when reason = '' then 'pass' when reason in ('object-not-seen', 'requirement-missing', 'unresolved') then 'review' else 'fail' end as result,
  reason,
  case
    when not seen then 'TABLES does not show the object'
    when policies is null then 'none attached' || case when not required then '; nobody asks for one, and the product holds PHI and is shared' when upper(table_type) like '%VIEW%' then '; a view' else '' end
    else policies || ' attached: ' || observed || case when named is null or upper(policy_name) in (named) or upper(policy) in (named) then '' else '; not the one asked for' end
  end as observed,
  coalesce(named, 'one active row access policy') as expected
from judged
