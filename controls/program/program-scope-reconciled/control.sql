with judged as (
  select
    p.item, p.name, b.inside, e.ended,
    case
      when p.kind = 'database' and exists (select 1 from register.zones z where z.database = p.name) then ''
      when b.inside and p.kind <> 'snowflake_account' then ''
      when b.inside and exists (select 1 from snowflake.databases d where d.source = b.source) then ''
      when not b.inside and b.reason is not null then ''
      when p.name is null then 'unknown-value'
      when b.inside then 'not-collected'
      when not b.inside then 'no-reason'
      when e.name is not null then 'registration-expired'
      else 'not-registered'
    end as reason
  from population p
  left join register.boundary b on b.kind = p.kind and b.name = p.name
  left join (select kind, name, max(expires) as ended from register_expired.boundary group by all) e on e.kind = p.kind and e.name = p.name
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case
    when inside then 'registered inside' || if(reason = 'not-collected', ', no source of it delivered', '')
    when not inside then 'registered outside' || if(reason = 'no-reason', ', without a reason', '')
    when reason = '' then 'in a zone'
    when name is null then 'name not known'
    else coalesce('registration ran out on ' || ended, 'not registered')
  end as observed,
  'registered inside and collected, or outside with a reason' as expected
from judged
