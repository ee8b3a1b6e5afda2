with judged as (
  select
    p.item, p.part, r.state, r.reason as said, r.recorded_at, r.runs_due, r.runs_missed, r.packages_sha256, r.tool_version,
    r.lock, r.lock_mode, r.lock_days, r.promised_mode, r.promised_days, r.enabled, r.expires_at, r.offset_seconds,
    c.notice_days, c.max_clock_offset_seconds,
    case
      when r.part is null or r.state = 'missing' then 'no-run'
      when r.state = 'not-read' then 'not-read'
      when r.state is distinct from 'read' then 'unknown-value'
      when p.part = 'run' then ''
      when p.part = 'packages' then
        case
          when r.packages_sha256 is null then 'unknown-value'
          when r.before_at is null or r.tool_version <> r.tool_before or r.packages_sha256 = r.packages_before then ''
          when r.packages_sha256 <> r.packages_before then 'packages-changed'
          else 'unknown-value'
        end
      when p.part = 'store' then
        case
          when not r.lock then 'lock-off'
          when not r.versioning then 'versioning-off'
          when r.lock_mode is null or r.lock_days is null then 'no-default'
          when r.lock_mode <> 'COMPLIANCE' and r.promised_mode = 'COMPLIANCE' or r.lock_days < r.promised_days then 'lock-less'
          when r.lock and r.versioning and r.promised_mode is not null and r.lock_days >= r.promised_days then ''
          else 'unknown-value'
        end
      when p.part = 'key' then
        case when not r.enabled then 'key-disabled' when r.enabled then '' else 'unknown-value' end
      when p.part = 'certificate' then
        case
          when r.expires_at <= r.recorded_at then 'certificate-ended'
          when r.expires_at < r.recorded_at + to_days(c.notice_days) then 'certificate-ends-soon'
          when r.expires_at >= r.recorded_at + to_days(c.notice_days) then ''
          else 'unknown-value'
        end
      when p.part = 'clock' then
        case
          when abs(r.offset_seconds) > c.max_clock_offset_seconds then 'clock-off'
          when abs(r.offset_seconds) <= c.max_clock_offset_seconds then ''
          else 'unknown-value'
        end
      else 'unknown-value'
    end as reason
  from population p
  cross join params c
  left join ops.pipeline r on r.part = p.part and coalesce(r.name, '') = p.name and r.state is distinct from 'absent'
),
-- several runs of a night may have found several states: the worst of them counts, then the last
worst as (
  select
    *,
    row_number() over (
      partition by item order by case reason when '' then 2 when 'packages-changed' then 1 else 0 end, recorded_at desc, reason
    ) as place
  from judged
)
select
  item,
  case reason when '' then 'pass' when 'packages-changed' then 'review' else 'fail' end as result,
  reason,
  case
    when state = 'read' then
      case part
        when 'run' then 'at ' || coalesce(cast(recorded_at as varchar), 'an unknown time') || coalesce(', ' || runs_missed || ' of ' || runs_due || ' runs missed since the record before', '')
        when 'packages' then coalesce(left(packages_sha256, 12), 'unknown') || ' under version ' || coalesce(tool_version, 'unknown')
        when 'store' then coalesce(lock_mode || ' for ' || lock_days || ' days', 'no default') || ', promised ' || coalesce(promised_mode || ' for ' || promised_days || ' days', 'nothing')
        when 'key' then case when enabled then 'enabled' when not enabled then 'not enabled' else 'not known' end
        when 'certificate' then 'ends ' || coalesce(cast(expires_at as varchar), 'at an unknown time')
        when 'clock' then coalesce(offset_seconds || ' seconds apart', 'not known')
        else 'not known'
      end
    when state = 'not-read' then 'not read: ' || coalesce(said, 'no reason given')
    else 'no record'
  end as observed,
  case part
    when 'run' then 'a run of the night, recorded'
    when 'packages' then 'as before, or a new version of the tool'
    when 'store' then 'locked and versioned, by default not less than promised'
    when 'key' then 'enabled'
    when 'certificate' then 'valid for ' || notice_days || ' days more'
    when 'clock' then 'at most ' || max_clock_offset_seconds || ' seconds apart'
    else 'a part that is known'
  end as expected
from worst
where place = 1
