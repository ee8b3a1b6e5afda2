with nights as (
  select
    f.control, f.night, f.reason, f.version, f.content_sha256, c.night as tonight, c.max_untested,
    f.status in ('satisfied', 'not-satisfied', 'not-applicable') or f.reason in ('pending-review', 'disabled') as concluded,
    f.status is null or (f.status <> 'missing' and (f.version is null or f.content_sha256 is null)) as unclear
  from ops.findings f
  cross join params c
  where f.reason is distinct from 'before-coverage'
),
versions as (
  select control, max(contents) as contents
  from (select n.control, n.version, count(distinct n.content_sha256) as contents from nights n group by all)
  group by control
),
summed as (
  select
    control,
    bool_or(concluded) as ever, tonight - min(night) as looked_back,
    tonight - 1 - max(coalesce(case when concluded then night end, first_night - 1)) as behind,
    bool_or(reason = 'control-error') as broke,
    bool_or(reason = 'disabled' and night = tonight - 1) as off,
    bool_or(unclear) as unclear,
    max_untested
  from (select *, min(night) over (partition by control) as first_night from nights)
  group by control, tonight, max_untested
),
judged as (
  select
    p.item, s.behind, s.off, s.ever, s.looked_back, s.max_untested,
    case
      when s.broke then 'control-error'
      when v.contents > 1 then 'changed-unversioned'
      when s.behind > s.max_untested then 'not-concluded'
      when not s.unclear then ''
      else 'unknown-value'
    end as reason
  from population p
  left join summed s on s.control = p.control
  left join versions v on v.control = p.control
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when off then 'switched off by the workspace' when behind = 0 then 'concluded the night before' else if(ever is not true and looked_back >= 7, 'at least ', '') || behind || ' night' || if(behind = 1, '', 's') || ' without a conclusion' end as observed,
  'at most ' || max_untested || ' night' || if(max_untested = 1, '', 's') || ' without a conclusion' as expected
from judged
