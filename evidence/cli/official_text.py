"""Official requirement text in a workspace: bring it from a file, seal it, and hand it to a packet as it was sealed."""

from pathlib import Path
from typing import Any

from evidence.cli.workspace import Workspace, now
from evidence.control.official import Texts, kind_of, read_texts
from evidence.errors import ConfigError, UsageError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry
from evidence.store.sealing import append_new, put_object

FOLDER = "texts"  # in the workspace; the product has none


def bring(workspace: Workspace, file: Path, framework: str, edition: str, note: str) -> dict[str, Any]:
    """Read ``file``, seal its text and keep it in the workspace; return what was found and what has none."""
    catalogue = workspace.library.frameworks.get(framework)
    if catalogue is None:
        raise UsageError(
            f"no framework {framework!r}", fix=f"frameworks: {', '.join(sorted(workspace.library.frameworks))}"
        )
    try:
        body = file.read_bytes()
    except OSError as exc:
        raise UsageError(f"cannot read {file}: {exc.strerror}", fix="name the file that holds the text") from exc
    ids = [entry.id for entry in catalogue.entries]
    kind = kind_of(file.name)
    found, stated = read_texts(body, kind, ids, file.name)
    texts = Texts(
        framework,
        kind,
        file.name,
        canonical.sha256_hex(body),
        edition or stated,
        canonical.format_time(now()),
        note,
        found,
    )
    kept = texts.to_bytes()
    digest = canonical.sha256_hex(kept)
    with workspace.lease():
        ref = put_object(workspace.store, f"texts/{framework}/{digest}.json", kept)
        facts = {
            name: getattr(texts, name)
            for name in ("framework", "kind", "file", "file_sha256", "edition", "imported_at")
        }
        append_new(workspace.log, [Entry("text", f"{framework}/{digest}", ref, {**facts, "requirements": len(found)})])
        folder = workspace.config.workspace / FOLDER
        folder.mkdir(exist_ok=True)
        draft = folder / f".{framework}.json.new"
        draft.write_bytes(kept)
        draft.replace(folder / f"{framework}.json")
    without = [entry.id for entry in catalogue.entries if entry.id not in found and entry.evidence_mode != "container"]
    return {
        **facts,
        "note": note,
        "requirements": len(found),
        "of": len(ids),
        "without": without,
        "sealed": f"{framework}/{digest}",
    }


def texts_of(workspace: Workspace, framework: str) -> Texts | None:
    """Return the text of a framework as it was sealed, or None. Raises ``ConfigError`` for a file that was changed since."""
    path = workspace.config.workspace / FOLDER / f"{framework}.json"
    if not path.is_file():
        return None
    body = path.read_bytes()
    if workspace.log.find("text", f"{framework}/{canonical.sha256_hex(body)}") is None:
        raise ConfigError(
            f"{FOLDER}/{path.name} is not the text that was sealed", fix="evidence controls import-text FILE, again"
        )
    return Texts.from_bytes(body, f"{FOLDER}/{path.name}")
