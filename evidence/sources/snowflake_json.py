"""System functions that answer with one cell of JSON, unfolded into rows."""

from typing import Literal

from evidence.errors import SourceUnavailableError
from evidence.sources import exact
from evidence.sources.snowflake_session import Rows


def unfold(answer: Rows, how: Literal["", "pairs", "rows"], statement: str) -> Rows:
    """Return ``answer`` as it is, or its only cell as rows: ``pairs`` of an object, or the objects of a list as ``rows``.

    Values that are no text are spelled as JSON. Raises ``SourceUnavailableError`` if the cell is not what was asked for.
    """
    if not how:
        return answer
    try:
        value = exact.loads(str(answer.rows[0][0]))
    except (IndexError, ValueError) as exc:
        raise SourceUnavailableError(f"{statement}: the answer is no JSON", fix="try again") from exc
    if how == "pairs" and isinstance(value, dict):
        return Rows(("key", "value"), tuple((key, exact.as_text(item)) for key, item in value.items()))
    if how == "rows" and isinstance(value, list) and all(isinstance(item, dict) for item in value):
        names = tuple(dict.fromkeys(key for item in value for key in item))
        return Rows(names, tuple(tuple(exact.as_text(item.get(name)) for name in names) for item in value))
    raise SourceUnavailableError(f"{statement}: the answer has another shape than documented", fix="report the shape")
