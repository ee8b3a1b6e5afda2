"""Cast one raw Arrow column to a contract type, whole if possible, else value by value.

Sources choose Arrow types by the values of each batch (int8 … int64, decimal128, timestamps in ns or us; exports add text,
epoch numbers and floats). Nothing goes through pandas or through a float that was not one at the source. A value that does
not fit is reported with a reason that never holds the value: it may be PHI that slipped into the wrong column.
"""

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.datasets import variant
from evidence.datasets.contract import ARROW, NESTED, TIME, ColumnType
from evidence.datasets.variant import UnfitError

_EXACT_FLOAT = 1 << 53
_LAST_DIGIT = Decimal(1).scaleb(-12)
_WIDE = Context(prec=40, rounding=ROUND_HALF_EVEN)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAY = dt.date(1970, 1, 1)
# Epoch numbers by size: seconds, milliseconds, microseconds, nanoseconds; all of them from 1973 on.
_EPOCH_UNITS = (
    (10**8, 10**11, 1_000_000, 1),
    (10**11, 10**14, 1_000, 1),
    (10**14, 10**17, 1, 1),
    (10**17, 2**63, 1, 1_000),
)
_MOMENT = re.compile(
    r"\s*([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]+))?\s*(Z|UTC|[+-][0-9]{2}:?[0-9]{2})?\s*\Z",
    re.ASCII,
)
_TRUTH = {"true": True, "t": True, "yes": True, "y": True, "1": True} | {
    "false": False, "f": False, "no": False, "n": False, "0": False
}  # fmt: skip


def stored(kind: ColumnType) -> pa.DataType:
    """Return the Arrow type before nested columns are unfolded: those and JSON are canonical text."""
    return pa.string() if kind in NESTED else ARROW[kind]


def cast(column: pa.Array, kind: ColumnType) -> tuple[pa.Array, Mapping[int, str]]:
    """Return ``column`` as :func:`stored` type, NULL where a value did not fit, and row -> reason for those."""
    column = _plain(column)
    if column.null_count == len(column):
        return pa.nulls(len(column), stored(kind)), {}
    try:
        return _WHOLE[kind](column), {}
    except (pa.ArrowException, ValueError, TypeError):
        return _each(column, kind)


def _plain(column: pa.Array) -> pa.Array:
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _texts(column.type) and not pa.types.is_string(column.type):
        column = column.cast(pa.string())
    return column


def _texts(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _each(column: pa.Array, kind: ColumnType) -> tuple[pa.Array, Mapping[int, str]]:
    """Convert the distinct values one by one and spread them over the rows."""
    if pa.types.is_timestamp(column.type) or pa.types.is_time(column.type) or pa.types.is_duration(column.type):
        reason = f"{column.type} is no {kind}"
        valid = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        return pa.nulls(len(column), stored(kind)), dict.fromkeys(valid.tolist(), reason)
    try:
        folded = column.cast(pa.binary() if pa.types.is_string(column.type) else column.type).dictionary_encode()
        values, indices = folded.dictionary.to_pylist(), folded.indices
    except pa.ArrowException:  # lists and structs are not folded
        values, indices = column.to_pylist(), pa.array(np.arange(len(column)), mask=~_valid(column))
    done: list[Any] = []
    wrong: dict[int, str] = {}
    for n, value in enumerate(values):
        try:
            done.append(None if value is None else _ONE[kind](_decoded(value)))
        except UnfitError as exc:
            done.append(None)
            wrong[n] = str(exc)
    result = pa.array(done, stored(kind)).take(indices)
    if not wrong:
        return result, {}
    return result, {row: wrong[n] for row, n in enumerate(indices.to_pylist()) if n is not None and n in wrong}


def _valid(column: pa.Array) -> Any:
    return column.is_valid().to_numpy(zero_copy_only=False)


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise UnfitError("not UTF-8") from None
    return value


# --- whole columns: any exception sends the column to the value-by-value path -----------------------------------


def _whole_int(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_floating(kind):
        numbers = column.fill_null(0).to_numpy(zero_copy_only=False)
        if not bool(np.all((np.abs(numbers) < _EXACT_FLOAT) & (numbers == np.floor(numbers)))):
            raise ValueError
    elif _texts(kind):
        if pc.any(pc.match_substring_regex(column, "[^0-9-]")).as_py():  # Arrow would read 0x10
            raise ValueError
    elif not (pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        raise TypeError
    return column.cast(pa.int64())


def _whole_text(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_floating(kind) or (pa.types.is_decimal(kind) and kind.scale > 0) or pa.types.is_nested(kind):
        raise TypeError
    column = column.cast(pa.string())
    column.validate(full=True)
    return column


def _whole_time(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_timestamp(kind):
        if kind.unit == "ns":
            return _floor(column)
        return column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()).cast(TIME)
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("us")).cast(pa.int64()).cast(TIME)
    if _texts(kind):
        return _floor(column.cast(pa.timestamp("ns", "UTC")))  # refuses text without a zone
    if pa.types.is_integer(kind):
        return _epochs(column)
    raise TypeError


def _floor(column: pa.Array) -> pa.Array:
    """Cut nanoseconds; never round up across the edge of a window, also before 1970."""
    numbers = column.cast(pa.int64()).fill_null(0).to_numpy()
    return pa.array(np.floor_divide(numbers, 1000), mask=~_valid(column)).cast(TIME)


def _epochs(column: pa.Array) -> pa.Array:
    numbers = column.cast(pa.int64()).fill_null(_EPOCH_UNITS[0][0]).to_numpy()
    for low, high, times, over in _EPOCH_UNITS:
        if bool(np.all((numbers >= low) & (numbers < high))):
            return pa.array(numbers * times // over, mask=~_valid(column)).cast(TIME)
    raise ValueError


def _whole_bool(column: pa.Array) -> pa.Array:
    if pa.types.is_boolean(column.type):
        return column
    raise TypeError


def _whole_float(column: pa.Array) -> pa.Array:
    if pa.types.is_nested(column.type) or pa.types.is_temporal(column.type) or pa.types.is_boolean(column.type):
        raise TypeError
    return column.cast(pa.float64(), safe=not pa.types.is_integer(column.type))


def _whole_decimal(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale <= 12):
        return column.cast(ARROW["decimal"])
    if pa.types.is_float64(kind):  # by its shortest spelling, as repr() gives it
        column = column.cast(pa.string()).cast(pa.decimal256(76, 36))
    elif not pa.types.is_decimal(kind):
        raise TypeError
    return pc.round(column, 12, "half_to_even").cast(ARROW["decimal"])


def _whole_date(column: pa.Array) -> pa.Array:
    if pa.types.is_date(column.type):
        return column.cast(pa.date32())
    raise TypeError


def _whole_texts(column: pa.Array) -> pa.Array:
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return column.cast(ARROW["texts"])
    raise TypeError


def _never(column: pa.Array) -> pa.Array:
    raise TypeError(column.type)


_WHOLE: dict[str, Callable[[pa.Array], pa.Array]] = {
    "int": _whole_int,
    "text": _whole_text,
    "time": _whole_time,
    "bool": _whole_bool,
    "float": _whole_float,
    "decimal": _whole_decimal,
    "date": _whole_date,
    "texts": _whole_texts,
    "json": _never,
    "objects": _never,
    "policies": _never,
}


# --- single values; an empty text is NULL for every type but text -------------------------------------------------


def _int(value: Any) -> int | None:
    if isinstance(value, bool):
        raise UnfitError("not an integer")
    if isinstance(value, float) and abs(value) >= _EXACT_FLOAT:
        raise UnfitError("a float too large to be an exact integer")
    number = _decimal(value)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise UnfitError("not an integer")
    if not -(1 << 63) <= number < 1 << 63:
        raise UnfitError("integer beyond 64 bits")
    return int(number)


def _decimal(value: Any) -> Decimal | None:
    """Return the number as the source spells it; a float by its shortest spelling."""
    try:
        if isinstance(value, str):
            if not value.strip():
                return None
            number = Decimal(value.strip()) if "_" not in value else Decimal("nan")
        else:
            number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except (InvalidOperation, TypeError):
        raise UnfitError("not a number") from None
    if not number.is_finite():
        raise UnfitError("not a finite number")
    return number


def _amount(value: Any) -> Decimal | None:
    number = _decimal(value)
    if number is None:
        return None
    if number.adjusted() > 25:
        raise UnfitError("decimal beyond 26 digits before the point")
    return number.quantize(_LAST_DIGIT, context=_WIDE)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT_FLOAT else repr(value)
    return variant.canonical_text(_spell(value))


def _moment(value: Any) -> dt.datetime | None:
    if isinstance(value, str) and not value.strip():
        return None
    if isinstance(value, str) and not value.strip().isdigit():
        return _moment_text(value)
    if isinstance(value, float):
        raise UnfitError("a float is no exact time")
    number = _int(value)
    for low, high, times, over in _EPOCH_UNITS:
        if number is not None and low <= number < high:
            return _EPOCH + dt.timedelta(microseconds=number * times // over)
    raise UnfitError("not a time since 1973")


def _moment_text(text: str) -> dt.datetime:
    match = _MOMENT.match(text)
    if match is None:
        raise UnfitError("not an ISO 8601 time")
    day, time, fraction, zone = match.groups()
    if zone is None:
        raise UnfitError("a time without a zone")
    offset = "+00:00" if zone in {"Z", "UTC"} else zone
    try:
        moment = dt.datetime.fromisoformat(f"{day}T{time}.{(fraction or '0')[:6]:0<6}{offset}")
        return moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise UnfitError("not an ISO 8601 time") from None


def _truth(value: Any) -> bool | None:
    if isinstance(value, str) and not value.strip():
        return None
    found = _TRUTH.get(str(value).strip().lower())
    if found is None:
        raise UnfitError("neither true nor false")
    return found


def _float(value: Any) -> float | None:
    number = _decimal(value)
    return None if number is None else float(number)


def _date(value: Any) -> dt.date | None:
    if isinstance(value, str) and not value.strip():
        return None
    try:
        return dt.date.fromisoformat(str(value).strip())
    except ValueError:
        raise UnfitError("not an ISO 8601 date") from None


def _json(value: Any) -> str | None:
    if isinstance(value, str):
        return variant.canonical_text(value) if value.strip() else None
    return variant.canonical_text(_spell(value))


def _texts_of(value: Any) -> list[str | None] | None:
    if isinstance(value, str):
        if not value.strip():
            return None
        value = variant.parse(value)
    if not isinstance(value, list):
        raise UnfitError("not a list of texts")
    return [item if item is None else _text(item) for item in value]


def _spell(value: Any) -> str:
    """Spell what an NDJSON or Parquet reader made of a JSON value."""
    return json.dumps(value, default=str)


_ONE: dict[str, Callable[[Any], Any]] = {
    "int": _int,
    "text": _text,
    "time": _moment,
    "bool": _truth,
    "float": _float,
    "decimal": _amount,
    "date": _date,
    "json": _json,
    "objects": _json,
    "policies": _json,
    "texts": _texts_of,
}
