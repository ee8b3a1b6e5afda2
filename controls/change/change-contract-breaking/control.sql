with parts as (
  select
    r.source, r.product, r.night = c.night as is_now,
    [r.database_name, r.schema_name, r.object_name, r.column_name, r.interface] as part,
    r.classification, r.column_class, r.masking_policy, r.row_access_policy, r.roles_allowed, r.inherited_by, r.system_parents,
    coalesce(split_part(list_filter(c.type_families, lambda f: split_part(f, '=', 1) = trim(regexp_extract(upper(r.column_type), '^[A-Z_ ]+')))[1], '=', 2), upper(r.column_type)) as type
  from contracts.products r
  cross join params c
),
-- what is new compares with itself
differences as (
  select
    o.source, o.product,
    bool_or(n.part is null or n.type is distinct from o.type or n.classification is distinct from o.classification or n.column_class is distinct from o.column_class
      or n.masking_policy is distinct from o.masking_policy or n.row_access_policy is distinct from o.row_access_policy) as breaks,
    bool_or(
      n.part is not null and not (
        coalesce(list_has_all(o.roles_allowed, n.roles_allowed), n.roles_allowed is not distinct from o.roles_allowed)
        and coalesce(list_has_all(o.inherited_by, n.inherited_by), n.inherited_by is not distinct from o.inherited_by)
        and coalesce(list_has_all(o.system_parents, n.system_parents), n.system_parents is not distinct from o.system_parents)
      )
    ) as widens
  from parts o
  left join (select * from parts where is_now) n on n.source = o.source and n.product = o.product and n.part = o.part
  group by all
),
given as (
  select r.merge_sha as sha, lower(a."user") as who
  from (
    select merge_sha, head_sha, merged_at, [lower(author)] || list_transform(json_extract_string(commit_authors, '$[*]'), lambda u: lower(u)) as authors,
      unnest(from_json(approvals, '[{"user": "VARCHAR", "at": "TIMESTAMP", "commit": "VARCHAR"}]')) as a
    from records.prs
    where state = 'merged' and author is not null and json_array_length(commit_authors) > 0
  ) r
  where not list_contains(r.authors, lower(a."user")) and a."commit" = r.head_sha and a."at" <= r.merged_at
),
capacities as (
  select g.sha, list_distinct(list(x.capacity order by x.capacity)) as held
  from given g
  join register.contract_approvers x on lower(x."user") = g.who
  group by all
),
judged as (
  select
    p.item, p.sunset, p.old_sunset, k.held, c.notice_days, p.version as new_version, p.old_version, d.breaks or p.retention_changed as breaks, d.widens,
    try_cast(regexp_extract(p.version, '^v?(\d+)', 1) as int) > try_cast(regexp_extract(p.old_version, '^v?(\d+)', 1) as int) as raised,
    list_has_all(k.held, c.breaking_approvals) and (not d.widens or list_has_all(k.held, c.widening_approvals)) as agreed,
    p.sunset < p.night + to_days(c.notice_days::int) and (p.old_sunset is null or p.sunset < p.old_sunset) as short,
    p.is_now, p.was, p.comparable, p.sha, p.unclear, p.old_sunset <= p.night as over
  from (select p.*, c.night from population p cross join params c) p
  cross join params c
  left join differences d on d.source = p.source and d.product = p.product
  left join capacities k on k.sha = p.sha
),
reasoned as (
  select
    item, is_now, was, sunset, old_sunset, short, held, notice_days, new_version, old_version, breaks, widens,
    case
      when not comparable then 'nothing-to-compare'
      when not is_now and over then ''
      when not is_now then 'contract-gone'
      when new_version is null or sha is null or unclear then 'unknown-value'
      when short then 'short-notice'
      when not was then ''
      when not breaks and not widens then ''
      when raised and agreed then ''
      when raised then 'not-approved'
      else 'version-not-raised'
    end as reason
  from judged
)
select
  item,
  case when reason = '' then 'pass' when reason = 'nothing-to-compare' then 'review' else 'fail' end as result,
  reason,
  case
    when reason = 'nothing-to-compare' then 'version ' || coalesce(new_version, 'none') || ', nothing to compare it with'
    when not is_now then 'the contract of version ' || coalesce(old_version, 'none') || ' is gone, ' || coalesce('its sunset ' || old_sunset, 'no sunset was set')
    else case when not was then 'new, version ' || coalesce(new_version, 'none') when old_version = new_version then 'version ' || new_version || ', as before' else 'version ' || coalesce(old_version, 'none') || ' to ' || coalesce(new_version, 'none') end
      || case when was and breaks then ', breaking' else '' end || case when widens then ', widening access' else '' end
      || case when short then ', sunset ' || coalesce('moved from ' || old_sunset || ' to ', 'set to ') || sunset else '' end
      || case when reason = 'not-approved' then ', approved on its final commit by ' || coalesce(array_to_string(held, ', '), 'nobody whose duty it is') else '' end
  end as observed,
  case when reason = 'short-notice' then 'a sunset announced at least ' || notice_days || ' day' || if(notice_days = 1, '', 's') || ' ahead' when not is_now then 'gone only after its sunset' else 'no break, or a new major version with its approvals' end as expected
from reasoned
