"""Control SQL for another engine: what is said faithfully in Snowflake's dialect, and what is refused by name."""
