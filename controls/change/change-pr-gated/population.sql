-- New is what the export of the night before did not have: the times of commits are their authors' to choose.
select
  c.source || '/' || c.repo || ' commit ' || c.sha as item, c.source, 'commit' as kind, c.repo, c.branch, c.sha, c.pr_number, lower(c.author) as author, c.co_authors
from records.commits c
cross join params p
where not exists (
    select 1 from records.commits o
    where o.source = c.source and o.repo = c.repo and o.branch = c.branch and o.sha = c.sha and o.night < p.night
  )
union all
select b.source || '/' || b.repo || ' branch ' || b.branch, b.source, 'branch', b.repo, b.branch, null, null, null, null
from (
  select source, repo, branch from records.branch_protection
  union
  select c.source, c.repo, c.branch from records.commits c cross join params p where c.night = p.night
) b
union all
select distinct i.source || '/run ' || i.invocation_id, i.source, 'run', null, null, i.git_sha, null, null, null
from dbt.invocations i
cross join params p
where i.executed is distinct from false and coalesce(list_contains(p.targets, i.target_name), true)
union all
select distinct r.source || '/' || r.repo || ' deployment ' || r.run_id || ' of ' || coalesce(r.sha, 'an unknown commit'), r.source, 'run', r.repo, null, r.sha, null, null, null
from records.ci_runs r
cross join params p
where r.night = p.night and coalesce(r.kind, 'deploy') = 'deploy' and coalesce(list_contains(p.environments, r.environment), true)
