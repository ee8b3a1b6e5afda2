-- nights before the evidence of a control was collected at all are no nights without a conclusion
select distinct control as item, control from ops.findings where reason is distinct from 'before-coverage'
