"""Contracts: what one dataset looks like, where that is documented, and how each column is treated.

A contract is a TOML file under ``evidence/datasets/<product>/``; ``docs/formats/contract.md`` explains every key.
Source column names are kept as the source spells them; landed columns are lower case.
"""

from collections.abc import Mapping
from functools import cached_property
from string import Formatter
from typing import Annotated, Literal, Self

import pyarrow as pa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from evidence.snapshot.model import Kind

Treatment = Literal["keep", "scrub", "keyed", "drop"]
ColumnType = Literal["int", "text", "time", "bool", "float", "decimal", "date", "json", "objects", "policies", "texts"]
Edition = Literal["standard", "enterprise", "business_critical"]
Read = Literal["view", "show", "function", "probe", "artifact", "file", "api"]
ScrubAs = Literal["statement", "expression", "message", "label", "location"]
Stated = Literal["totals", "covers"]
Connection = Literal["base", "elevated"]
Confidence = Literal["confirmed", "documented", "assumed"]

TIME = pa.timestamp("us", tz="UTC")
_SOURCE_ELEMENT = pa.struct(
    [
        ("object_domain", pa.string()),
        ("object_name", pa.string()),
        ("object_id", pa.string()),
        ("column_name", pa.string()),
    ]
)
# ACCESS_HISTORY object lists (Snowflake: Account Usage, ACCESS_HISTORY): ids are numbers for tables, text for functions.
OBJECTS = pa.list_(
    pa.struct(
        [
            ("object_domain", pa.string()),
            ("object_name", pa.string()),
            ("object_id", pa.string()),
            (
                "columns",
                pa.list_(
                    pa.struct(
                        [
                            ("column_id", pa.string()),
                            ("column_name", pa.string()),
                            ("direct_sources", pa.list_(_SOURCE_ELEMENT)),
                            ("base_sources", pa.list_(_SOURCE_ELEMENT)),
                        ]
                    )
                ),
            ),
        ]
    )
)
_POLICY = pa.struct([("policy_name", pa.string()), ("policy_id", pa.string()), ("policy_kind", pa.string())])
POLICIES = pa.list_(
    pa.struct(
        [
            ("object_domain", pa.string()),
            ("object_name", pa.string()),
            ("object_id", pa.string()),
            (
                "columns",
                pa.list_(
                    pa.struct(
                        [
                            ("column_id", pa.string()),
                            ("column_name", pa.string()),
                            ("policies", pa.list_(_POLICY)),
                        ]
                    )
                ),
            ),
            ("policies", pa.list_(_POLICY)),
        ]
    )
)
ARROW: dict[str, pa.DataType] = {
    "int": pa.int64(),
    "text": pa.string(),
    "time": TIME,
    "bool": pa.bool_(),
    "float": pa.float64(),
    "decimal": pa.decimal128(38, 12),
    "date": pa.date32(),
    "json": pa.string(),
    "objects": OBJECTS,
    "policies": POLICIES,
    "texts": pa.list_(pa.string()),
}
NESTED: frozenset[str] = frozenset({"objects", "policies"})
DELETION_MARKS = frozenset({"DELETED", "DELETED_ON"})  # state views that keep dropped rows name the moment so
REST_SUFFIX = "_rest"  # canonical JSON of what a nested column held beyond its typed shape


def _pairs(value: object) -> object:
    """Turn a TOML table into pairs: contracts are hashable values."""
    return tuple(value.items()) if isinstance(value, Mapping) else value


Values = Annotated[tuple[tuple[str, tuple[str, ...]], ...], BeforeValidator(_pairs)]  # column -> values, as pairs
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_$]*$")]


def placeholders(template: str) -> list[str]:
    """Return the ``{names}`` of a statement template, in order."""
    return [field for _, field, _, _ in Formatter().parse(template) if field]


class Column(BaseModel):
    """One column: source spelling, type we store, treatment; ``volatile`` columns stay out of drift comparisons.

    ``scrub_as`` says what a scrubbed text is: a whole SQL ``statement``, an SQL ``expression``, a ``message`` in prose, a
    ``label`` that stays as it is unless the PHI detector hits, or a ``location`` cut after host or stage. ``keyed_when`` names
    rows whose value is keyed whatever the treatment: column -> its values, compared without case (a property list holds a
    comment among settings). ``source_type`` is the documented type where it is not the usual one for ``type``; ``aliases``
    are other spellings of the name that exports and older accounts use. ``confidence`` is set where it is not the contract's.
    ``values`` is a closed vocabulary of a text column: a row that says anything else is set aside, for no control could judge it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Identifier
    type: ColumnType
    treatment: Treatment = "keep"
    required: bool = False
    volatile: bool = False
    scrub_as: ScrubAs = "statement"
    keyed_when: Values = ()
    confidence: Confidence | None = None
    source_type: str = ""
    aliases: tuple[Identifier, ...] = ()
    values: tuple[str, ...] = ()
    note: str = ""

    @property
    def landed(self) -> str:
        """The column's name in sealed evidence."""
        return self.name.lower()


class Listing(BaseModel):
    """How the objects are found that a read is made for, one statement each: the rows of ``statement``.

    ``name`` are the columns that hold the parts of an object's name, ``beside`` the columns that repeat these parts in each
    row of its answer. ``where`` keeps rows whose column has one of the values (compared without case; ``""`` stands for NULL
    too; ``{account}`` for the session's account locator). ``leave_out`` are names that are no objects of the account.
    ``paged``: names are unique in the answer, so it is read by ``LIMIT … FROM``. ``arguments`` is the column that holds a
    procedure's signature. ``statement`` may name another listing: it is then run for each of its objects.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    statement: str
    name: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    beside: tuple[Identifier, ...] = ()
    where: Values = ()
    leave_out: tuple[str, ...] = ()
    paged: bool = False
    arguments: str = ""


class Probe(BaseModel):
    """A row that must be visible because the collector is it: ``column`` equals a fact of its own session."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: Identifier
    equals: Literal["user", "role", "warehouse", "account_name"]


class Contract(BaseModel):
    """One dataset. ``sha256`` is the digest of the file it came from and lands in every manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    name: Annotated[str, Field(pattern=r"^[a-z]+\.[a-z][a-z0-9_]*$")]
    version: int
    kind: Kind
    read: Read
    object: str  # SNOWFLAKE.ACCOUNT_USAGE.USERS, SHOW PARAMETERS IN ACCOUNT, manifest.json …
    description: str
    page: str  # where the columns are documented
    latency_minutes: int = 0
    latency_max_minutes: int | None = None  # the documented tail, where it is longer than the usual latency
    recount_nights: Annotated[int, Field(ge=1)] = 2  # nights on which an event window is counted again
    mutable: bool = False  # event rows change after they appear
    retention_days: int | None = None
    watermark: str = ""
    key: tuple[str, ...] = ()
    unique_key: bool = True  # False: duplicates are rows of their own (multiset)
    roles: tuple[str, ...] = ()  # any one of these SNOWFLAKE database roles grants the read
    application_roles: tuple[str, ...] = ()  # or any one of these application roles
    grants: tuple[str, ...] = ()  # further privileges, in the words of GRANT; {name} stands for each listed object
    connection: Connection = "base"
    confidence: Confidence = "documented"
    edition: Edition = "standard"
    extends: str = ""  # the dataset whose contract this one takes its keys and columns from
    statements: tuple[str, ...] = ()  # SHOW forms or SELECTs, with {name} placeholders for enumerated objects
    lists: Annotated[
        tuple[tuple[Identifier, Listing], ...], BeforeValidator(_pairs)
    ] = ()  # placeholder, how its objects are found
    paged: bool = False  # the answer of the only statement is read by name, page by page
    unfold: Literal["", "pairs", "rows"] = (
        ""  # one cell of JSON becomes rows: members of an object, or objects of a list
    )
    empty_means: Literal["nothing", "suspect"] = "suspect"
    privilege_filtered: bool = True  # rows depend on what the role may see; False only where documented otherwise
    probe: Probe | None = None  # what must be there if the role sees the rows
    omitted: tuple[str, ...] = ()  # documented columns that are left out: the source never fills them
    must_state: tuple[Stated, ...] = ()  # what an export has to state itself before it can be complete
    columns: tuple[Column, ...]
    sha256: str = ""

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        names = [column.name for column in self.columns]
        spellings = [name.lower() for column in self.columns for name in (column.name, *column.aliases)]
        if len(set(spellings)) != len(spellings):
            raise ValueError(f"{self.name}: a column stands twice")
        probed = (self.probe.column,) if self.probe else ()
        for name in (*self.key, *((self.watermark,) if self.watermark else ()), *probed):
            if name not in names:
                raise ValueError(f"{self.name}: key, watermark or probe {name} is not a column")
        for column in self.columns:
            if column.treatment in {"scrub", "keyed"} and column.type in NESTED | {"texts"}:
                raise ValueError(
                    f"{self.name}: {column.name}: a column of type {column.type} cannot be {column.treatment}"
                )
            if column.values and (column.type != "text" or column.treatment != "keep"):
                raise ValueError(f"{self.name}: {column.name}: only a kept text has a vocabulary")
            for other, _ in column.keyed_when:
                if other not in names or column.type != "text" or column.treatment == "drop":
                    raise ValueError(
                        f"{self.name}: {column.name}: keyed_when needs a text column and the column {other}"
                    )
        if self.kind == "event" and not self.watermark:
            raise ValueError(f"{self.name}: an event dataset needs a watermark")
        return self

    @model_validator(mode="after")
    def _listings_fit(self) -> Self:
        for name, listing in self.lists:
            if listing.beside and not set(listing.beside) <= {column.name for column in self.columns}:
                raise ValueError(f"{self.name}: lists.{name}: beside names a column that is not there")
        asked = {name for text in self._templates() for name in placeholders(text)}
        if asked - self._fillable():
            raise ValueError(f"{self.name}: nothing fills {', '.join(sorted(asked - self._fillable()))}")
        if self.paged and (len(self.statements) != 1 or asked):
            raise ValueError(f"{self.name}: only a single statement without placeholders can be paged")
        return self

    def _templates(self) -> tuple[str, ...]:
        return (*self.statements, *(listing.statement for _, listing in self.lists))

    def _fillable(self) -> set[str]:
        listed = {spelled for name, _ in self.lists for spelled in (name, f"{name}_text")}
        return listed | {"columns", "start", "end"}

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by source name in lower case."""
        return {column.name.lower(): column for column in self.columns}

    @cached_property
    def listings(self) -> dict[str, Listing]:
        """How the objects of each placeholder are found."""
        return dict(self.lists)

    @cached_property
    def kept(self) -> tuple[Column, ...]:
        """The columns a source is asked for: all but those whose treatment is ``drop``."""
        return tuple(column for column in self.columns if column.treatment != "drop")

    @property
    def has_history(self) -> bool:
        """Say whether a missed night leaves traces: events stay at the source, and so do dropped rows with a mark."""
        return self.kind == "event" or any(column.name.upper() in DELETION_MARKS for column in self.columns)

    @property
    def reference(self) -> dict[str, int | str]:
        """What a manifest says of the contract."""
        return {"version": self.version, "sha256": self.sha256}

    @cached_property
    def landed_schema(self) -> pa.Schema:
        """Arrow schema of sealed rows: dropped columns gone, nested ones followed by ``<name>_rest``."""
        fields: list[pa.Field] = []
        for column in self.columns:
            if column.treatment == "drop":
                continue
            landed_type = pa.string() if column.treatment in {"scrub", "keyed"} else ARROW[column.type]
            fields.append(pa.field(column.landed, landed_type))
            if column.type in NESTED:
                fields.append(pa.field(column.landed + REST_SUFFIX, pa.string()))
        return pa.schema(fields)
