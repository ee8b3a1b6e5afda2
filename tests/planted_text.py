"""Hostile text in every text column of a demo workspace's exports, in its registers and in what management writes."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hostile import CORPUS

MORE = (
    "<a rel=attachment href='file:///etc/hostname'>x</a><link rel=attachment href=file:///etc/hostname>",
    "<svg xmlns='http://www.w3.org/2000/svg'><script>window.pwned=8</script><image href='http://example.com/x.png'/></svg>",
    "url(file:///etc/hostname); @import 'http://example.com/x.css'; } * { content: url(http://example.com/y) }",
    "<meta http-equiv=Content-Security-Policy content=\"script-src 'unsafe-inline'\">",
    "/OpenAction << /S /JavaScript /JS (app.alert(9)) >> /URI (http://example.com/)",
    "A" * 10_000,
)
HOSTILE = tuple(text for text in (*CORPUS, *MORE) if "\x00" not in text)  # Parquet holds it, the exporters do not
_ID = re.compile(r"(^|_)id$", re.IGNORECASE)


def plant(folder: Path) -> int:
    """Append a row for each text to every table below ``folder``; return how many cells now hold one."""
    cells = 0
    for path in sorted(folder.rglob("*.parquet")):
        table = pq.read_table(path)
        texts = [f.name for f in table.schema if pa.types.is_string(f.type)]
        if not table.num_rows or not texts:
            continue
        rows = [_row(table, texts, number) for number in range(len(HOSTILE) + len(texts))]
        cells += sum(row[name] in HOSTILE for row in rows for name in texts)
        pq.write_table(pa.concat_tables([table, pa.Table.from_pylist(rows, schema=table.schema)]), path)
        _claim(path.with_name("_export.json"), table.num_rows + len(rows))
    return cells


def _row(table, texts, number):
    """First rows that are hostile in all columns, then one for each column that is hostile in it alone."""
    row = table.slice(number % table.num_rows, 1).to_pylist()[0]
    for place, name in enumerate(table.column_names):
        if pa.types.is_integer(table.schema.field(name).type) and _ID.search(name) and row[name] is not None:
            row[name] += 10**9 + number
        if name in texts and number in {*range(len(HOSTILE)), len(HOSTILE) + texts.index(name)}:
            row[name] = HOSTILE[(number + place) % len(HOSTILE)]
    return row


def _claim(path, rows):
    if not path.is_file():
        return
    claims = json.loads(path.read_text())
    claims["totals"] = {"rows": rows}
    for statement in claims.get("statements", ()):
        statement["rows"] = rows
    path.write_text(json.dumps(claims))


def plant_words(folder: Path) -> None:
    """Let management's own words be hostile: the entity, the system, owners and what registers say in free text."""
    every = [text for text in HOSTILE if text.isprintable() and len(text) < 200]
    number = iter(range(10**6))

    def hostile(found):
        return found[1] + json.dumps(found[2] + " " + every[next(number) % len(every)], ensure_ascii=False).replace(
            "\x7f", ""
        )

    free = re.compile(
        r'^((?:name|system|owner|reason|what|note|justification|deputy|responder) = )"([^"]*)"', re.MULTILINE
    )
    for path in (folder / "system.toml", folder / "owners.toml", *sorted((folder / "registers").glob("*.toml"))):
        only = (
            free
            if path.parent == folder
            else re.compile(free.pattern.replace("name|system|", "").replace("owner|", ""), re.MULTILINE)
        )
        path.write_text(only.sub(hostile, path.read_text()))
    config = folder / "evidence.toml"
    config.write_text(
        config.read_text().replace(
            "Fernhollow Health Plan (demo)", "Fernhollow <script>alert(10)</script> {{7*7}} & Co"
        )
    )
