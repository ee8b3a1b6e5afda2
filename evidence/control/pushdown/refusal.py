"""Why a statement does not go to Snowflake."""

from evidence.errors import EvidenceError


class RefusedError(EvidenceError):
    """A construct whose meaning is not proven equal in both engines. ``construct`` names it as a person would write it."""

    def __init__(self, construct: str, why: str) -> None:
        super().__init__(f"{construct}: {why}", fix='judge this control with engine = "duckdb"')
        self.construct = construct
        self.why = why
