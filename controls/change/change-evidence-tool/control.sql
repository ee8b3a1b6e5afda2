with judged as (
  select
    p.item, p.identity, r.repo, r.commit, r.author, r.reviewed_by, e.ended,
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
  left join (select kind, identity, max(expires) as ended from register_expired.tool_releases group by all) e on e.kind = p.kind and e.identity = p.identity
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when identity is null then 'no version named' else coalesce(repo || ' at ' || commit || ', reviewed by ' || reviewed_by || if(lower(trim(author)) = lower(trim(reviewed_by)), ', its author', ''), 'registration ran out on ' || ended, 'not registered') end as observed,
  'registered with a commit that another reviewed' as expected
from judged
