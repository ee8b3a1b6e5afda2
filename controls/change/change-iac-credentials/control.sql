with tickets as (
  select user_name, approved_at, window_start, coalesce(window_end, expires_at) as until
  from records.tickets
  where type in ('change', 'break_glass') and status in ('approved', 'in_progress', 'resolved', 'closed') and approver <> requester and approver <> user_name
),
deployers as (
  select distinct "user" from register.deployers
),
looked_at as (
  select
    q.source || '/deployer ' || q.user_name as item,
    case
      when q.role_name is null then 9
      when not list_contains(c.admin_roles, q.role_name) and len(list_filter(c.admin_roles, lambda r: contains(q.secondary_role_stats::varchar, '"' || r || '"'))) = 0 then 0
      when exists (
        select 1 from tickets t
        where t.user_name = q.user_name and q.start_time >= t.approved_at and q.start_time >= coalesce(t.window_start, t.approved_at) and q.start_time <= t.until
      ) then 0
      else 1
    end as rank
  from snowflake.query_history q
  cross join params c
  join deployers d on d."user" = q.user_name
  union all
  select
    l.source || '/deployer ' || l.user_name,
    case when upper(l.is_success) = 'NO' then 0 when l.first_authentication_factor is null then 9 when upper(l.first_authentication_factor) = 'PASSWORD' then 2 else 0 end
  from snowflake.login_history l
  join deployers d on d."user" = l.user_name
  union all
  select
    f.source || '/' || f.repo || ' finding ' || f.finding_id,
    case
      when f.status = 'resolved' and f.resolution in ('revoked', 'false_positive') and f.active is distinct from true then 0
      when f.status = 'open' and f.found_at > c.night::timestamp + to_hours(24 - c.resolve_hours) then 0
      when f.status = 'open' then 3
      when f.status = 'resolved' then 4
      else 9
    end
  from records.secret_scan f
  cross join params c
  union all
  select
    k.source || '/' || k.account || ' key ' || k.access_key_id || ' of ' || coalesce(k.user_name, 'unknown user'),
    case
      when k.status is null or k.created_at is null or k.user_name is null then 9
      when d."user" is not null then 5
      when k.created_at >= c.night::timestamp + to_days(1) - to_days(c.key_days::int) then 0
      else 6
    end
  from aws.iam_access_keys k
  cross join params c
  left join deployers d on d."user" = k.user_name
  union all
  select
    s.source || '/lease ' || coalesce(s.engine, '?') || ' ' || coalesce(s.role, '?') || ' of ' || coalesce(s.client, 'unknown client'),
    case
      when s.kind in ('dynamic', 'certificate', 'token') and s.expires_at <= s.issued_at + to_hours(c.lease_hours) then 0
      when s.kind is null or s.issued_at is null or s.expires_at is null then 9
      else 7
    end
  from records.secret_leases s
  cross join params c
  union all
  select
    t.source || '/' || t.document,
    case when len(list_filter(t.sensitive_attributes, lambda a: len(list_filter(c.secret_attributes, lambda s: a = s or ends_with(a, '_' || s))) > 0)) > 0 then 8 else 0 end
  from terraform.state t
  cross join params c
),
worst as (
  select item, max(rank) as rank, count(*) as records, count(case when rank > 0 then 1 end) as bad from looked_at group by item
)
select
  p.item,
  case when coalesce(w.rank, 0) = 0 then 'pass' else 'fail' end as result,
  case coalesce(w.rank, 0)
    when 0 then '' when 1 then 'admin-role' when 2 then 'password-login' when 3 then 'secret-open' when 4 then 'secret-not-revoked' when 5 then 'pipeline-key' when 6 then 'key-old'
    when 7 then 'static-lease' when 8 then 'state-holds-secret' else 'unknown-value'
  end as reason,
  coalesce(w.bad, 0) || ' of ' || coalesce(w.records, 0) || ' record' || if(coalesce(w.records, 0) = 1, '', 's') || ' at fault' as observed,
  'short-lived credentials, no administrator role' as expected
from population p
left join worst w on w.item = p.item
