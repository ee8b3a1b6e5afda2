"""Bytes on the wire: request bodies, Arrow results in the connector's own types, chunks, JSON rows."""

import base64
import gzip
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from starlette.requests import Request
from starlette.responses import JSONResponse

from tests.servers.snowflake_emulator.state import Account

NANOS = 1_000_000_000
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": NANOS}
INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.int64())
TEXT_BYTES = 16_777_216
CHUNK_HEADERS = {
    "x-amz-server-side-encryption-customer-algorithm": "AES256",
    "x-amz-server-side-encryption-customer-key": base64.b64encode(secrets.token_bytes(32)).decode(),
}


async def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON body, gzip'd or not."""
    body = await request.body()
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return json.loads(body or b"{}")


def success(data: Any, *, code: str | None = None) -> JSONResponse:
    """Wrap ``data`` as every answer is wrapped."""
    return JSONResponse({"data": data, "code": code, "message": None, "success": True})


def failure(code: str, message: str, *, data: Any = None) -> JSONResponse:
    """Answer with an error that is part of the protocol (HTTP 200)."""
    return JSONResponse({"data": data, "code": code, "message": message, "success": False, "headers": None})


def sql_failure(code: str, sqlstate: str, message: str, query_id: str) -> JSONResponse:
    """Answer with an error of a statement."""
    data = {"internalError": False, "errorCode": code, "sqlState": sqlstate, "queryId": query_id, "age": 0}
    return failure(code, message, data=data)


def rowtype(name: str, kind: str, *, precision: int | None = None, scale: int | None = None) -> dict[str, Any]:
    """Describe one column as the server does."""
    length = TEXT_BYTES if kind == "text" else None
    return {
        "name": name,
        "database": "",
        "schema": "",
        "table": "",
        "nullable": True,
        "type": kind,
        "byteLength": length,
        "length": length,
        "scale": scale,
        "precision": precision,
        "collation": None,
    }


def describe(schema: pa.Schema, described: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the row types: what fakesnow says, with TIMESTAMP_LTZ for instants as ACCOUNT_USAGE has it."""
    found = []
    for field, column in zip(schema, described, strict=True):
        is_instant = pa.types.is_timestamp(field.type) and field.type.tz is not None
        found.append({**column, "type": "timestamp_ltz", "scale": 9} if is_instant else column)
    return found


def result(
    account: Account, base_url: str, table: pa.Table, columns: list[dict[str, Any]], meta: dict[str, Any]
) -> Any:
    """Return the ``data`` of an Arrow answer: the first rows inline, the rest as chunks to fetch."""
    encoded = encode(table, columns)
    whole = encoded.num_rows <= max(account.chunk_rows, account.first_rows)
    first = encoded.num_rows if whole else account.first_rows
    data = {
        "parameters": [{"name": "TIMEZONE", "value": "UTC"}],
        "rowtype": columns,
        "total": encoded.num_rows,
        "returned": encoded.num_rows,
        "queryResultFormat": "arrow",
        "rowsetBase64": base64.b64encode(_stream(encoded.slice(0, first))).decode() if encoded.num_rows else "",
        **meta,
    }
    if not whole:
        starts = range(first, encoded.num_rows, account.chunk_rows)
        data["chunks"] = [_chunk(account, base_url, encoded.slice(at, account.chunk_rows)) for at in starts]
        data["chunkHeaders"] = CHUNK_HEADERS
    return data


def rows_result(columns: list[dict[str, Any]], rows: list[list[str | None]], meta: dict[str, Any]) -> dict[str, Any]:
    """Return the ``data`` of a JSON answer, as SHOW and DESC give: every value is text."""
    return {
        "parameters": [{"name": "TIMEZONE", "value": "UTC"}],
        "rowtype": columns,
        "rowset": rows,
        "total": len(rows),
        "returned": len(rows),
        "queryResultFormat": "json",
        **meta,
    }


def indent(table: pa.Table, columns: Sequence[dict[str, Any]], parameters: Mapping[str, str]) -> pa.Table:
    """Lay VARIANT text out as JSON_INDENT says; each text once, for the documents of a night repeat."""
    width = int(parameters["JSON_INDENT"])
    for at, column in enumerate(columns):
        if column["type"] == "variant":
            chunks = [_laid_out(chunk, width) for chunk in table.column(at).chunks]
            table = table.set_column(at, table.field(at).name, pa.chunked_array(chunks, pa.string()))
    return table


def _laid_out(texts: pa.Array, width: int) -> pa.Array:
    separators = (",", ":") if not width else (",", ": ")
    folded = texts.cast(pa.string()).dictionary_encode()
    spelled = [
        json.dumps(json.loads(text), indent=width or None, separators=separators, ensure_ascii=False)
        for text in folded.dictionary.to_pylist()
    ]
    return pa.array(spelled, pa.string()).take(folded.indices)


def encode(table: pa.Table, columns: Sequence[dict[str, Any]]) -> pa.Table:
    """Spell a table in the Arrow dialect of the connectors: metadata per field, structs for instants, small integers."""
    arrays, fields = [], []
    for column, described in zip(table.columns, columns, strict=True):
        array = _encode_column(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
        metadata = {
            "logicalType": described["type"].upper(),
            "precision": str(described["precision"] or 38),
            "scale": str(described["scale"] or 0),
            "charLength": str(described["length"] or 0),
        }
        arrays.append(array)
        fields.append(pa.field(described["name"], array.type, nullable=True, metadata=metadata))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _encode_column(array: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(array.type):
        return _instants(array)
    if pa.types.is_integer(array.type):
        return _narrow(array)
    if pa.types.is_decimal(array.type) and array.type.scale == 0 and array.type.precision > 18:
        return array.cast(pa.decimal128(38, 0))
    if pa.types.is_time(array.type):
        return pc.multiply(array.cast(pa.int64()), 1000)
    if pa.types.is_null(array.type):
        return array.cast(pa.string())
    return array


def _instants(array: pa.Array) -> pa.Array:
    """A struct of epoch seconds and nanoseconds with a null mask; children must be nullable or 5.x refuses NULLs."""
    per_second = PER_SECOND[array.type.unit]
    ticks = pc.fill_null(array.cast(pa.int64()), 0).to_numpy()
    epoch = ticks // per_second  # floor: also right before 1970
    fraction = ((ticks - epoch * per_second) * (NANOS // per_second)).astype("int32")
    fields = [pa.field("epoch", pa.int64()), pa.field("fraction", pa.int32())]
    return pa.StructArray.from_arrays([pa.array(epoch), pa.array(fraction)], fields=fields, mask=pc.is_null(array))


def _narrow(array: pa.Array) -> pa.Array:
    """Use the smallest integers that hold the values: the real server does, so types differ between results."""
    limits = pc.min_max(array).as_py()
    low, high = limits["min"] or 0, limits["max"] or 0
    for kind in INTEGERS:
        bound = 1 << (kind.bit_width - 1)
        if -bound <= low and high < bound:
            return array.cast(kind)
    return array.cast(pa.decimal128(38, 0))


def _chunk(account: Account, base_url: str, table: pa.Table) -> dict[str, Any]:
    plain = _stream(table)
    packed = gzip.compress(plain, 1)
    name = secrets.token_urlsafe(12)
    account.chunks[name] = packed
    signature = secrets.token_hex(32)  # an address that opens by itself, as cloud storage has them
    account.secrets.append(signature)
    return {
        "url": f"{base_url}/chunk/{name}?X-Amz-Expires=21600&X-Amz-Signature={signature}",
        "rowCount": table.num_rows,
        "uncompressedSize": len(plain),
        "compressedSize": len(packed),
    }


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
