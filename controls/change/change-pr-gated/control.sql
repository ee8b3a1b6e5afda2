with branches as (
  select
    b.source, b.repo, b.branch, b.protected,
    b.enforce_admins and json_type(b.bypass_actors) = 'ARRAY' and list_has_all(c.bypass_allowed, json_extract_string(b.bypass_actors, '$[*]')) as closed,
    b.required_approvals >= c.min_approvals and b.dismiss_stale and not b.allow_force_pushes and not b.allow_deletions
      and list_has_all(json_extract_string(b.required_checks, '$[*]'), c.required_jobs) as strict,
    concat_ws('; ',
      coalesce('asks for ' || b.required_approvals || ' approval' || if(b.required_approvals = 1, '', 's') || if(b.required_approvals < c.min_approvals, ', too few', ''), 'approvals asked for not known'),
      case when b.dismiss_stale then null when not b.dismiss_stale then 'keeps outdated approvals' else 'outdated approvals: not known' end,
      case when b.allow_force_pushes then 'allows a rewrite of history' when b.allow_force_pushes is null then 'rewrites of history: not known' end,
      case when b.allow_deletions then 'allows the branch to be deleted' when b.allow_deletions is null then 'deletion of the branch: not known' end,
      case
        when json_type(b.required_checks) = 'ARRAY' then 'jobs not asked for: ' || nullif(array_to_string(list_sort(list_filter(c.required_jobs, lambda j: not list_contains(json_extract_string(b.required_checks, '$[*]'), j))), ', '), '')
        else 'jobs asked for not known'
      end,
      case when b.enforce_admins then null when not b.enforce_admins then 'leaves out administrators' else 'whether it binds administrators is not known' end,
      case
        when json_type(b.bypass_actors) = 'ARRAY' then 'may be passed by: ' || nullif(array_to_string(list_sort(list_filter(json_extract_string(b.bypass_actors, '$[*]'), lambda a: not list_contains(c.bypass_allowed, a))), ', '), '')
        else 'who may pass it by is not known'
      end
    ) as observed
  from records.branch_protection b
  cross join params c
),
-- the pull requests that brought the commit, each judged by itself: a rebase brings several commits, so that only its last one is named
pulls as (
  select
    p.item, p.item || ' by ' || r.number as pull, r.source, r.repo, r.number, r.head_sha, r.merged_at, r.approvals, coalesce(json_array_length(r.commit_authors) > 0 and r.author is not null and r.head_sha is not null and r.merged_at is not null, false) as authors_known,
    -- the author of a merge commit is who merged
    [lower(r.author), case when r.merge_method is distinct from 'merge' then p.author end] || list_transform(json_extract_string(r.commit_authors, '$[*]'), lambda a: lower(a))
      || coalesce(list_transform(json_extract_string(p.co_authors, '$[*]'), lambda a: lower(a)), []) as authors,
    case when json_array_length(r.paths) > 0 and len(list_filter(json_extract_string(r.paths, '$[*]'), lambda f: len(list_filter(c.sensitive_paths, lambda s: starts_with(f, s))) > 0)) = 0
      then c.min_approvals else greatest(c.sensitive_approvals, c.min_approvals) end as needed,
    coalesce(r.bypassed, not coalesce(b.closed, false)) as bypassed,
    case when r.bypassed then 'merged past the protection' when r.bypassed is null and b.closed is not true then 'nothing says that protection was not passed by, and it may be' end as observed
  from population p
  cross join params c
  join records.prs r
    on r.source = p.source and r.repo = p.repo and r.state = 'merged' and r.base_branch = p.branch
    and (r.merge_sha = p.sha or (r.number = p.pr_number and r.merge_method = 'rebase'))
  left join branches b on b.source = p.source and b.repo = p.repo and b.branch = p.branch
),
approvals as (
  select pull, merged_at, head_sha, authors, unnest(from_json(approvals, '[{"user": "VARCHAR", "at": "TIMESTAMP", "commit": "VARCHAR"}]')) as a from pulls
),
approved as (
  select
    pull,
    count(distinct case when not list_contains(authors, lower(a."user")) and a."commit" = head_sha and a."at" <= merged_at then lower(a."user") end) as by_others,
    count(case when not list_contains(authors, lower(a."user")) then 1 end) as others_ever
  from approvals
  group by all
),
jobs as (
  -- an attempt that began nobody knows when may be the last
  select p.pull, j.job, max(coalesce(r.started_at, p.merged_at)) as last_start, max(case when r.conclusion = 'success' and r.completed_at <= p.merged_at then r.started_at end) as last_success
  from pulls p
  cross join (select unnest(required_jobs) as job from params) j
  left join records.ci_runs r
    on r.source = p.source and r.repo = p.repo and r.sha = p.head_sha and coalesce(r.job, r.workflow) = j.job
    and coalesce(r.started_at <= p.merged_at, true)
  group by all
),
checks as (
  select pull, bool_and(last_success is not null) as present, bool_and(coalesce(last_success >= last_start, false)) as passed, 
    concat_ws('; ',
      'no success of: ' || string_agg(job, ', ' order by job) filter (where last_success is null),
      'last attempt without success of: ' || string_agg(job, ', ' order by job) filter (where last_success is not null and coalesce(last_success < last_start, true))
    ) as observed
  from jobs
  group by all
),
findings as (
  select distinct p.pull
  from pulls p
  join records.iac_findings f on f.source = p.source and f.repo = p.repo and (f.sha = p.head_sha or f.pr_number = p.number)
  where f.severity = 'critical' and coalesce(f.found_at <= p.merged_at, true)
    and (f.status = 'open' or coalesce(f.resolved_at > p.merged_at, true))
),
merged as (
  select distinct sha from records.commits
),
judged as (
  select
    p.item, p.kind, u.needed,
    case p.kind
      when 'commit' then case
        when u.item is null then 'no-pull-request'
        when u.authors_known and not u.bypassed and a.by_others >= u.needed and k.passed and f.pull is null then ''
        when not u.authors_known then 'unknown-value'
        when u.bypassed then 'bypassed'
        when a.pull is null then 'too-few-approvals'
        when a.by_others = 0 and a.others_ever > 0 then 'stale-approval'
        when a.by_others = 0 then 'self-approved'
        when a.by_others < u.needed then 'too-few-approvals'
        when k.passed then 'open-critical-finding'
        when k.present then 'check-failed'
        else 'check-missing'
      end
      when 'branch' then case
        when b.protected and b.closed and b.strict then ''
        when b.protected is not true then 'protection-off'
        when not b.strict then 'protection-weak'
        when not b.closed then 'protection-bypass'
        else 'unknown-value'
      end
      else case when m.sha is not null then '' when p.sha is not null then 'run-not-merged' else 'unknown-value' end
    end as reason,
    case p.kind
      when 'commit' then coalesce(
        'pull request ' || u.number || ': ' || concat_ws('; ',
          case when not u.authors_known then 'authors, head or time of the merge not known' end,
          u.observed,
          case when u.authors_known then coalesce(a.by_others, 0) || ' approval' || if(a.by_others = 1, '', 's') || ' by others, ' || u.needed || ' needed'
            || case when a.by_others > 0 then '' when a.others_ever > 0 then ', given on an earlier state or after the merge' when a.pull is not null then ', only people who wrote it approved' else '' end
            else 'approvals by others cannot be counted' end,
          case when k.passed then 'every required job succeeded' else coalesce(k.observed, 'no required job is set') end,
          case when f.pull is not null then 'a critical scanner finding was open at the merge' end
        ),
        'no merged pull request into this branch brought it'
      )
      when 'branch' then case when b.source is null then 'no protection exported' when b.protected then concat_ws('; ', 'protected', nullif(b.observed, '')) when b.protected is null then 'whether it is protected is not known' else 'not protected' end
      else case when m.sha is not null then 'a commit of the production branch' when p.sha is not null then 'commit ' || p.sha || ' is not on the production branch' else 'commit not known' end
    end as observed
  from population p
  left join pulls u on u.item = p.item
  left join approved a on a.pull = u.pull
  left join checks k on k.pull = u.pull
  left join findings f on f.pull = u.pull
  left join branches b on b.source = p.source and b.repo = p.repo and b.branch = p.branch
  left join merged m on m.sha = p.sha
)
select
  item,
  case when min(reason) = '' then 'pass' else 'fail' end as result,
  min(reason) as reason,
  string_agg(distinct observed, ' / ' order by observed) as observed,
  case min(kind)
    when 'commit' then 'a pull request with ' || coalesce(max(needed), 1) || ' approval' || if(coalesce(max(needed), 1) = 1, '', 's') || ' by others, every required job, no bypass and no open critical finding'
    when 'branch' then 'protection that binds administrators too and nobody bypasses'
    else 'a commit of the production branch'
  end as expected
from judged
group by item
