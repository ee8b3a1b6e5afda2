-- A secondary repeats the group's name and says in "primary" whose replica it is; SHOW FAILOVER GROUPS lists both in either account.
with refreshes as (
  select source, replication_group_name as name, end_time, primary_snapshot_timestamp as snapshot
  from snowflake.replication_refresh_history
  where upper(phase_name) = 'COMPLETED'
),
lags as (
  select
    r.source, r.name,
    date_diff('second', coalesce(max(r.snapshot) over (partition by r.source, r.name order by r.end_time rows between unbounded preceding and 1 preceding), c.night::timestamp), r.end_time) as lag,
    r.end_time >= c.night::timestamp as tonight
  from refreshes r
  cross join params c
  union all
  select r.source, r.name, date_diff('second', max(r.snapshot), c.night::timestamp + to_days(1)), true
  from refreshes r
  cross join params c
  group by r.source, r.name, c.night
),
worst as (
  select source, name, case when count(*) = count(lag) then max(lag) end as lag from lags where coalesce(tonight, true) group by all
),
secondaries as (
  select source, upper("primary") as "primary", min(upper(secondary_state)) as state, max(upper(secondary_state)) as best
  from snowflake.failover_groups
  group by all
),
judged as (
  select
    p.item, p.source, p.failover_group, p.rpo_minutes, m.name as member, g.name as shown, g.object_types, g.replication_schedule, s.state, w.lag,
    p.rpo_minutes * 60 as objective,
    list_sort(list_filter(c.required_types, lambda t: not list_contains(list_transform(string_split(upper(coalesce(g.object_types, '')), ','), lambda o: trim(o)), t))) as types_missing
  from population p
  cross join params c
  left join snowflake.failover_group_databases m on m.source = p.source and m.group_name = p.failover_group and m.name = p.database
  left join snowflake.failover_groups g on g.source = p.source and g.name = p.failover_group and lower(g.is_primary) = 'true'
  left join secondaries s on s.source = p.source and s."primary" = upper(g."primary") and s.state = s.best
  left join worst w on w.source = p.replica_source and w.name = p.failover_group
),
reasons as (
  select
    *,
    case
      when member is not null and len(types_missing) = 0 and replication_schedule is not null and state = 'STARTED' and lag <= objective then ''
      when source is null then 'database-not-seen'
      when member is null then 'not-in-group'
      when object_types is null then 'unknown-value'
      when len(types_missing) > 0 then 'types-missing'
      when replication_schedule is null then 'no-schedule'
      when state = 'SUSPENDED' then 'suspended'
      when lag > objective then 'lag-over-objective'
      else 'unknown-value'
    end as reason
  from judged
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when source is null then 'no collected account holds the database'
    else concat_ws('; ',
      case when member is null then 'not a member of failover group ' else 'in failover group ' end || failover_group,
      case
        when shown is null then 'no primary of that group is shown'
        else case when object_types is null then 'its object types are not known' when len(types_missing) > 0 then 'object types left out: ' || array_to_string(types_missing, ', ') else 'no object type left out' end
          || '; ' || case
            when replication_schedule is null then 'no schedule'
            when regexp_full_match(upper(replication_schedule), '\d+ MINUTES?') then 'refreshed every ' || regexp_extract(replication_schedule, '^\d+') || ' minute' || if(regexp_extract(replication_schedule, '^\d+') = '1', '', 's')
            else 'schedule ' || replication_schedule
          end
      end,
      coalesce('secondary ' || lower(state), 'state of the secondary not known'),
      -- rounded up: what is a second over the objective must not look as if it were in it
      case when lag is null then 'age of the replica not known' else 'replica up to ' || ((lag + 59) // 60) || ' minute' || if((lag + 59) // 60 = 1, '', 's') || ' old' || case when lag > objective then ', older than the objective' else '' end end
    )
  end as observed,
  'a scheduled, started failover group with the types asked for, replica at most ' || rpo_minutes || ' minute' || if(rpo_minutes = 1, '', 's') || ' old' as expected
from reasons
