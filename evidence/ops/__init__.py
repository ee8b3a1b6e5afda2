"""The mirror in Snowflake: tables of the OPS schema, the rows they hold, and how the two are compared with the log."""
