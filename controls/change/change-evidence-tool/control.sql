with judged as (
  select
    p.item, r.repo, r.commit, r.reviewed_by,
    case
      when p.identity is null then 'not-named'
      when r.identity is null and e.identity is not null then 'registration-expired'
      when r.identity is null then 'not-registered'
      when lower(trim(r.author)) = lower(trim(r.reviewed_by)) then 'not-reviewed'
      when lower(trim(r.author)) <> lower(trim(r.reviewed_by)) then ''
      else 'unknown-value'
    end as reason
  from population p
  left join register.tool_releases r on r.kind = p.kind and r.identity = p.identity
  left join (select distinct kind, identity from register_expired.tool_releases) e on e.kind = p.kind and e.identity = p.identity
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  coalesce(repo || ' at ' || commit || ', reviewed by ' || reviewed_by, 'not registered') as observed,
  'registered with a commit that another reviewed' as expected
from judged
