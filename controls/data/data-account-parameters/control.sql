with keys as (
  select source, bool_or(upper(cmk_activation_status) = 'ACTIVATED' and is_registered) as active from snowflake.tri_secret_history group by all
),
judged as (
  select
    p.*, case p.kind when 'user' then p.found else lower(l.value) end as value, t.active,
    case
      when p.kind = 'account' and lower(l.value) = p.wanted then ''
      when t.active then ''
      when p.kind = 'tri-secret' then 'tri-secret-inactive'
      when p.kind = 'user' then 'user-override'
      when l.key is null then 'not-listed'
      when l.value is null then 'unknown-value'
      else 'wrong-value'
    end as reason
  from population p
  left join snowflake.parameters l on l.source = p.source and upper(l.key) = p.key
  left join keys t on p.kind = 'tri-secret' and t.source = p.source
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case when kind = 'tri-secret' then case when active then 'ACTIVATED' else 'no activated customer key shown' end else coalesce(value, 'not shown') end as observed,
  wanted as expected
from judged
