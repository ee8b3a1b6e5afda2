-- A member of an organisation lists the organisation's trail, at times without its status: what one row does not know another tells.
with selectors as (
  select distinct source, arn, json_extract(x, '$.FieldSelectors[*]') as fields, null as basic, null as resources
  from (select source, arn, unnest(json_extract(advanced_selectors, '$[*]')) as x from aws.trails)
  union all
  select distinct source, arn, null, x, json_extract(x, '$.DataResources[*]')
  from (select source, arn, unnest(json_extract(event_selectors, '$[*]')) as x from aws.trails)
),
spelled as (
  select
    source, arn, fields,
    (basic ->> '$.ReadWriteType') = 'All' as read_write,
    (basic ->> '$.IncludeManagementEvents') = 'true' and coalesce(json_array_length(basic, '$.ExcludeManagementEventSources'), 0) = 0 as managing,
    list_filter(resources, lambda d: (d ->> '$.Type') = 'AWS::S3::Object') as resources,
    list_sort(list_transform(fields, lambda f: case
      when len(json_keys(f)) = 2 and json_array_length(f, '$.Equals') = 1 then (f ->> '$.Field') || '=' || (f ->> '$.Equals[0]')
      when len(json_keys(f)) = 2 then (f ->> '$.Field') || '^'
      else 'other'
    end)) as told
  from selectors
),
recorded as (
  select
    source, arn,
    (read_write and managing) or told = ['eventCategory=Management'] as management,
    case
      when read_write then flatten(list_transform(resources, lambda d: json_extract_string(d, '$.Values[*]')))
      when told = ['eventCategory=Data', 'resources.type=AWS::S3::Object'] then ['arn:aws:s3']
      when told = ['eventCategory=Data', 'resources.ARN^', 'resources.type=AWS::S3::Object'] then flatten(list_transform(fields, lambda f: json_extract_string(f, '$.StartsWith[*]')))
    end as objects
  from spelled
),
managed as (
  select distinct source, arn from recorded where management
),
told as (
  select
    source, arn, bool_and(is_multi_region) as regional, bool_and(is_logging) as logging, bool_and(log_validation) as validated, bool_and(kms_key_id <> 'unset') as encrypted,
    bool_and(latest_delivery_error = 'unset') as clean, max(latest_delivery_at) as delivered_at
  from aws.trails
  group by all
),
graded as (
  select
    t.source, t.arn,
    case
      when t.regional and t.logging and t.validated and t.encrypted and t.clean and t.delivered_at >= c.as_of - to_hours(c.max_delivery_hours)
        then case when m.arn is not null then 0 else 1 end
      when not t.regional then 7
      when not t.logging then 6
      when not t.validated then 5
      when not t.encrypted then 4
      when not t.clean or t.delivered_at < c.as_of - to_hours(c.max_delivery_hours) then 3
      else 2
    end as grade
  from told t
  cross join params c
  left join managed m on m.source = t.source and m.arn = t.arn
),
of_account as (
  select distinct t.source, t.account, t.arn, g.grade from aws.trails t join graded g on g.source = t.source and g.arn = t.arn
),
best as (
  select source, account, min(grade) as grade from of_account group by all
),
covered as (
  select distinct p.item
  from population p
  join of_account o on o.source = p.source and o.account = p.account and o.grade <= 1
  join recorded r on r.source = o.source and r.arn = o.arn
  cross join unnest(r.objects) as u(value)
  where starts_with('arn:aws:s3:::' || p.bucket || '/', regexp_replace(u.value, '^arn:aws[a-z-]*:', 'arn:aws:'))
),
judged as (
  select
    p.item, p.kind, t.grade, b.policy_is_public, l.enabled, l.default_mode,
    case p.kind
      when 'account' then case
        when t.grade = 0 then ''
        when t.grade = 1 then 'no-management-events'
        when t.grade = 3 then 'not-delivered'
        when t.grade = 4 then 'not-encrypted'
        when t.grade = 5 then 'no-validation'
        when t.grade = 6 then 'not-logging'
        when coalesce(t.grade, 7) = 7 then 'no-trail'
        else 'unknown-value'
      end
      when 'bucket' then case when v.item is not null then '' when not p.found then 'bucket-not-found' else 'no-object-events' end
      else case
        when not b.policy_is_public and l.enabled and list_contains(c.lock_modes, l.default_mode) then ''
        when not p.found then 'bucket-not-found'
        when b.policy_is_public then 'public-log'
        when not l.enabled or not list_contains(c.lock_modes, l.default_mode) then 'no-lock'
        else 'unknown-value'
      end
    end as reason
  from population p
  cross join params c
  left join best t on t.source = p.source and t.account = p.account
  left join covered v on v.item = p.item
  left join aws.s3_buckets b on b.source = p.source and b.name = p.bucket
  left join aws.s3_object_lock l on l.source = p.source and l.bucket = p.bucket
)
select
  item,
  case when reason = '' then 'pass' else 'fail' end as result,
  reason,
  case kind
    when 'account' then case when grade is null then 'no trail listed' when reason = '' then 'a trail in good order' else 'no trail is in good order' end
    when 'bucket' then case when reason = '' then 'object events recorded' else 'object events not recorded' end
    else 'object lock ' || case when enabled then 'on, default ' || coalesce(default_mode, 'unknown') when not enabled then 'off' else 'unknown' end
  end as observed,
  case kind
    when 'account' then 'a multi-Region trail that logs, validates, encrypts and delivers'
    when 'bucket' then 'reads and writes of all objects recorded'
    else 'our bucket, not public, locked by default'
  end as expected
from judged
