-- a tag whose name, value or place is not known counts as PHI in the fact, so that nothing is left out; it proves nothing here
with unclear as (
  select distinct t.source
  from snowflake.tag_references t
  cross join settings s
  where t.object_deleted is null
    and coalesce(list_contains(list_transform(s.phi_tags, lambda tag: upper(tag)), upper(t.tag_name)), true)
    and (t.tag_name is null or t.tag_value is null or t.domain is null)
),
judged as (
  select
    p.item, p.sources,
    case
      when list_contains(string_split(p.sources, ', '), 'tag') and p.seen and u.source is null then ''
      when p.column_name is null then 'columns-unknown'
      when not p.seen then 'column-not-seen'
      when u.source is not null then 'unknown-value'
      when p.state = 'declared' then 'not-tagged'
      when list_contains(s.not_phi_classes, lower(trim(p.contract_class))) then ''
      when p.state = 'suspected' then 'suspected'
      else 'unknown-value'
    end as reason
  from population p
  cross join settings s
  left join unclear u on u.source = p.source
)
select
  item,
  case when reason = '' then 'pass' when reason in ('columns-unknown', 'column-not-seen', 'suspected') then 'review' else 'fail' end as result,
  reason,
  'called PHI by ' || sources as observed,
  'a PHI tag on the column or above it' as expected
from judged
