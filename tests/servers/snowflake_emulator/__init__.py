"""A Snowflake account on 127.0.0.1 for tests: fakesnow's SQL over DuckDB behind our own HTTP front.

The front speaks what the connectors speak: logins with password or key pair, session renewal, Arrow results in chunks,
polling of long statements. Everything a test may want to see or to go wrong is under ``/_emulator/`` (:mod:`control`).
It proves the protocol and our reading of it; what a statement *means* in Snowflake is the documentation's to say.

Start it with ``python -m tests.servers.snowflake_emulator --port 0 --data DIR``; it prints one line of JSON with the
port and re-starts itself in its own virtual environment where needed.
"""
