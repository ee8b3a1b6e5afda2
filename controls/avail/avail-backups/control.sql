-- Of several sets of one database the best counts: rank 0 passes.
with newest as (
  select source, backup_set_id, case when count(*) = count(created) then max(created) end as created, count(*) as backups
  from snowflake.backups
  where deleted is null
  group by all
),
sets as (
  select
    s.source, s.object_name as database,
    concat_ws('; ',
      'set ' || s.id,
      case
        when p.schedule is null then 'no schedule'
        when regexp_full_match(upper(p.schedule), '\d+ MINUTES?') then 'every ' || regexp_extract(p.schedule, '^\d+') || ' minute' || if(regexp_extract(p.schedule, '^\d+') = '1', '', 's')
        else 'schedule ' || p.schedule
      end,
      case upper(p.has_retention_lock) when 'Y' then 'under a lock' when 'N' then 'under no lock' else 'lock not known' end,
      coalesce('kept ' || p.expire_after_days || ' day' || if(p.expire_after_days = 1, '', 's') || if(p.expire_after_days < c.min_days, ', too short', ''), 'kept an unknown time'),
      case
        when n.backups is null then 'no backup'
        when n.created is null then 'time of the newest backup not known'
        else 'newest backup ' || strftime(n.created, '%Y-%m-%d %H:%M') || case when n.created > c.as_of then ', after this capture' when n.created < c.as_of - to_hours(c.max_age_hours) then ', too old' else '' end
      end
    ) as observed,
    case
      when p.schedule is not null and p.expire_after_days >= c.min_days and (upper(p.has_retention_lock) = 'Y' or (upper(p.has_retention_lock) = 'N' and not c.require_lock))
        and n.created between c.as_of - to_hours(c.max_age_hours) and c.as_of then 0
      when p.schedule is null then 4
      when c.require_lock and upper(p.has_retention_lock) = 'N' then 3
      when p.expire_after_days < c.min_days then 2
      when n.backups is null or n.created < c.as_of - to_hours(c.max_age_hours) then 1
      else 5
    end as rank
  from snowflake.backup_sets s
  cross join params c
  join snowflake.backup_policies p on p.source = s.source and p.id = s.backup_policy_id and p.deleted is null
  left join newest n on n.source = s.source and n.backup_set_id = s.id
  where s.deleted is null and upper(s.object_kind) = 'DATABASE'
),
best as (
  select
    source, database, min(rank) as rank,
    if(count(*) = 1, '', 'the best of ' || count(*) || ' sets: ') || min(struct_pack(rank := rank, said := observed)).said as observed
  from sets
  group by source, database
),
judged as (
  select
    p.item, p.source, b.observed, c.max_age_hours, c.min_days, c.require_lock,
    case
      when b.rank = 0 then ''
      when p.source is null then 'database-not-seen'
      when b.rank is null then 'no-backup-set'
      when b.rank = 1 then 'backup-old'
      when b.rank = 2 then 'expiry-short'
      when b.rank = 3 then 'no-lock'
      when b.rank = 4 then 'no-schedule'
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
  left join best b on b.source = p.source and b.database = p.database
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  coalesce(observed, if(source is null, 'no collected account holds the database', 'no backup set of the whole database under a live policy')) as observed,
  'scheduled, at most ' || max_age_hours || ' hour' || if(max_age_hours = 1, '', 's') || ' old, kept ' || min_days || ' day' || if(min_days = 1, '', 's') || case when require_lock then ' under a lock' else '' end as expected
from judged
