"""Tables over the listed files, as DDL: Athena's over symlink manifests, Snowflake's external tables behind views that read the list. Pure.

Facts: Amazon Athena and Apache Hive, ``SymlinkTextInputFormat`` (each line of a file in the table's folder names a file to read); Snowflake, "CREATE
EXTERNAL TABLE" (columns are expressions over VALUE and METADATA$FILENAME, which is the path inside the bucket; PATTERN), "CREATE FILE FORMAT"
(USE_LOGICAL_TYPE: without it a Parquet time is read as a bare number).
"""

from collections.abc import Iterator, Mapping

import pyarrow as pa

from evidence.ops.listing import COLUMNS, table

_HIVE: Mapping[pa.DataType, str] = {
    pa.int64(): "bigint",
    pa.string(): "string",
    pa.bool_(): "boolean",
    pa.float64(): "double",
    pa.date32(): "date",
}
_SNOWFLAKE: Mapping[pa.DataType, str] = {
    pa.int64(): "INTEGER",
    pa.string(): "TEXT",
    pa.bool_(): "BOOLEAN",
    pa.float64(): "FLOAT",
    pa.date32(): "DATE",
}
_NUMBERS = frozenset({"log_size", "revision", "log_index", "bytes", "rows"})


def hive_type(kind: pa.DataType) -> str:
    """Return the type's name in Hive, Athena and Spark. Raises ``KeyError`` for a type that no contract has."""
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_list(kind):
        return f"array<{hive_type(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return f"struct<{','.join(f'{field.name}:{hive_type(field.type)}' for field in kind)}>"
    return _HIVE[kind]


def snowflake_type(kind: pa.DataType) -> str:
    """Return the type's name in Snowflake; lists are ARRAY. Raises ``KeyError`` for a type that no contract has."""
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP_NTZ(6)"
    if pa.types.is_decimal(kind):
        return f"NUMBER({kind.precision},{kind.scale})"
    if pa.types.is_list(kind):
        return "ARRAY"
    return "OBJECT" if pa.types.is_struct(kind) else _SNOWFLAKE[kind]


def athena(schemas: Mapping[str, pa.Schema], location: str, database: str = "evidence") -> str:
    """Return DDL of a table for each dataset, over the manifests that lie under ``location``; statements end with a semicolon."""
    return "\n".join(_athena(schemas, location.rstrip("/"), database)) + "\n"


def _athena(schemas: Mapping[str, pa.Schema], location: str, database: str) -> Iterator[str]:
    yield f"-- Upload the folder `athena` to {location}/ first; after every new list again, then run the last line of each table."
    yield f"CREATE DATABASE IF NOT EXISTS {database};"
    for dataset, schema in sorted(schemas.items()):
        columns = ",\n".join(f"  `{field.name}` {hive_type(field.type)}" for field in schema)
        yield f"CREATE EXTERNAL TABLE IF NOT EXISTS {database}.{table(dataset)} (\n{columns}\n)"
        yield "PARTITIONED BY (`source` string, `night` date)"
        yield "ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'"
        yield "STORED AS INPUTFORMAT 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat'"
        yield "OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'"
        yield f"LOCATION '{location}/{table(dataset)}/';"
        yield f"MSCK REPAIR TABLE {database}.{table(dataset)};"


def snowflake(schemas: Mapping[str, pa.Schema], url: str, schema: str, integration: str = "EVIDENCE_STORE") -> str:
    """Return the script of stage, list and, for each dataset, an external table and the view that reads what is listed."""
    return "\n".join(_snowflake(schemas, url.rstrip("/"), schema, integration)) + "\n"


def _snowflake(schemas: Mapping[str, pa.Schema], url: str, schema: str, integration: str) -> Iterator[str]:
    yield f"-- External tables in {schema} over sealed files under {url}. {integration}: a STORAGE INTEGRATION that may read that place, nothing else."
    yield f"CREATE SCHEMA IF NOT EXISTS {schema};"
    yield f"CREATE FILE FORMAT IF NOT EXISTS {schema}.SEALED TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE;"
    yield (
        f"CREATE STAGE IF NOT EXISTS {schema}.STORE URL = '{url}/' STORAGE_INTEGRATION = {integration} "
        f"FILE_FORMAT = (FORMAT_NAME = '{schema}.SEALED');"
    )
    columns = ", ".join(f"{_upper(name)} {'INTEGER' if name in _NUMBERS else 'TEXT'}" for name in COLUMNS)
    yield f"CREATE TABLE IF NOT EXISTS {schema}.FILES ({columns});"
    yield "\n-- The list of `evidence export files`, whole or not at all; the views read the list of the largest log size."
    yield "-- PUT file://files.csv @~/evidence OVERWRITE = TRUE;"
    yield (
        f"-- COPY INTO {schema}.FILES FROM @~/evidence/files.csv FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 1 "
        "FIELD_OPTIONALLY_ENCLOSED_BY = '\"') ON_ERROR = ABORT_STATEMENT;"
    )
    for dataset, fields in sorted(schemas.items()):
        yield ""
        yield from _external(dataset, fields, url, schema)
    yield '\n-- Who judges there ([assess] rows = "external") reads the views, in the publisher\'s session.'
    yield f"GRANT SELECT ON ALL VIEWS IN SCHEMA {schema} TO ROLE EVIDENCE_PUBLISHER;"


def _external(dataset: str, fields: pa.Schema, url: str, schema: str) -> Iterator[str]:
    """The view takes each listed path once: a list that was loaded twice must not double rows."""
    name = table(dataset).upper()
    prefix = url.removeprefix("s3://").partition("/")[2]
    start = len(prefix) + 2 if prefix else 1  # METADATA$FILENAME begins behind the bucket
    columns = [
        f'{_upper(f.name)} {snowflake_type(f.type)} AS (VALUE:"{f.name}"::{snowflake_type(f.type)})' for f in fields
    ]
    place = (
        f"SEALED_PATH TEXT AS (SUBSTR(METADATA$FILENAME, {start}))",
        "SEALED_NIGHT DATE AS (TO_DATE(SUBSTR(SPLIT_PART(METADATA$FILENAME, '/', -3), 6)))",
    )
    yield (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS {schema}.{name}_STORED ({', '.join([*columns, *place])}) PARTITION BY (SEALED_NIGHT) "
        f"LOCATION = @{schema}.STORE/data/ PATTERN = '.*/{dataset.replace('.', '[.]')}/date=[^/]+/snapshot=[^/]+/part-[0-9]+[.]parquet' "
        f"AUTO_REFRESH = FALSE REFRESH_ON_CREATE = FALSE FILE_FORMAT = (FORMAT_NAME = '{schema}.SEALED');"
    )
    yield f"ALTER EXTERNAL TABLE {schema}.{name}_STORED REFRESH;"
    names = ", ".join(f"S.{_upper(field.name)}" for field in fields)
    listed = f"FROM {schema}.FILES WHERE STATUS = 'complete' AND DATASET = '{dataset}' AND LOG_SIZE = (SELECT MAX(LOG_SIZE) FROM {schema}.FILES)"
    yield (
        f"CREATE OR REPLACE VIEW {schema}.{name} AS SELECT {names}, F.SOURCE AS SEALED_SOURCE, S.SEALED_NIGHT, F.MANIFEST_SHA256 AS SEALED_MANIFEST "
        f"FROM {schema}.{name}_STORED S JOIN (SELECT DISTINCT PATH, SOURCE, MANIFEST_SHA256 {listed}) F ON F.PATH = S.SEALED_PATH;"
    )
    yield (
        f'-- must give no row: SELECT COUNT(*), (SELECT SUM("ROWS") FROM (SELECT DISTINCT PATH, "ROWS" {listed})) AS LISTED '
        f"FROM {schema}.{name} HAVING COUNT(*) <> COALESCE(LISTED, 0);"
    )


def _upper(name: str) -> str:
    """A column's name in Snowflake: what an unquoted one would be, and free of reserved words."""
    return f'"{name.upper()}"'
