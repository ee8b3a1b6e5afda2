select distinct control as item, control from ops.findings
