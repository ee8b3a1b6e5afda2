"""PHI columns of a manifest that the project's own masking macros and hooks leave out, as far as a manifest shows it. Pure.

Opt-in by ``[gate.masking]`` of evidence.toml. What is read is the text of models, which is never kept: nothing of it is in what is returned.
A column passes only where nothing speaks against it; text that may go round the macro is for a person. It stands before the nightly test of
the policies themselves (data-phi-mask-coverage), never in its place. Which column is PHI follows ``controls/facts/phi_columns.sql``.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evidence.control.model import Control, Evidence, Library
from evidence.control.result import FindingStatus, NightFinding, Observation

ID: Final = "gate-phi-masked"
BUILT: Final = frozenset({"model", "snapshot", "seed"})
_COMMENTS: Final = re.compile(r"\{#.*?#\}|/\*.*?\*/|--[^\n]*", re.DOTALL)
_JINJA: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_BRANCH: Final = re.compile(r"\{%-?\s*(?:if\s+is_incremental\(\)|endif)\s*-?%\}")
_STAR: Final = re.compile(r"(?:\bselect\b(?:\s+(?:distinct|all))?|,)\s*(?:\w+\.)?\*|\w\.\*", re.IGNORECASE)
_REASONS: Final = {
    "not-masked": "PHI that the model builds without a masking macro, and no hook of the model sets a policy.",
    "mask-unclear": "A masking macro is called for the column, and the model names the column, or everything, without it too.",
    "text-unknown": "PHI in a node whose text the manifest does not have, or that is not SQL.",
}
Place = tuple[str, str, str, str]  # database, schema, object, column, upper case


@dataclass(frozen=True, slots=True)
class Masking:
    """Names of macros: those that return a column masked, and those that set policies when called as a post-hook."""

    macros: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()


def control_of(library: Library) -> Control:
    """Return the rule in the shape of a control, so that the gate prints and seals it as any other."""
    return Control(
        id=ID,
        version="1.0.0",
        title="PHI columns are built masked",
        statement="Each PHI column of a model, snapshot or seed is built by a masking macro of the project, or a post-hook of the node sets its policy.",
        test="As far as the manifest shows it: the select list and the hooks of the node, not what the SQL computes.",
        severity="critical",
        mode="state",
        evidence=(Evidence(dataset="dbt.nodes", columns=("columns",)),),
        remediation="Build the column by one of the macros of [gate.masking], or add the hook that sets its policy.",
        reasons=dict(_REASONS),
        population_sql="",
        control_sql="",
        content_sha256=library.sha256,
    )


def missing(manifest: Mapping[str, Any], masking: Masking) -> list[str]:
    """Return the declared macros that the manifest does not have: nothing can be said of what they mask."""
    held = {str(key).rsplit(".", 1)[-1] for key in manifest.get("macros") or {}}
    return sorted({*masking.macros, *masking.hooks} - held)


def examine(
    manifest: Mapping[str, Any], masking: Masking, words: Sequence[str], declared: Collection[Place], source: str
) -> tuple[list[str], list[Observation]]:
    """Return the items, ``<source>/<unique_id>.<column>``, and what is seen of those that do not pass.

    ``words`` are the library's ``phi_words``; ``declared`` the columns that contracts call PHI.
    """
    items: list[str] = []
    seen: list[Observation] = []
    for key, node in sorted((manifest.get("nodes") or {}).items()):
        config = node.get("config") or {}
        if (
            node.get("resource_type") not in BUILT
            or config.get("enabled") is False
            or config.get("materialized") == "ephemeral"
        ):
            continue
        for column in sorted(_phi(node, words, declared)):
            item = f"{source}/{key}.{column}"
            items.append(item)
            found = _judge(node, column, masking)
            if found:
                result, reason, observed = found
                seen.append(Observation(item, "fail" if result else "review", reason, observed, "a masking macro, or a hook that sets a policy"))  # fmt: skip
    return items, seen


def finding_of(control: Control, like: NightFinding, items: Sequence[str], seen: Sequence[Observation]) -> NightFinding:
    """Return what was seen as the finding of a night; ``like`` gives the night."""
    fails = tuple(each for each in seen if each.result == "fail")
    reviews = tuple(each for each in seen if each.result == "review")
    status: FindingStatus = (
        "not-satisfied" if fails else "not-assessed" if reviews else "satisfied" if items else "not-applicable"
    )
    return NightFinding(
        control.id, control.version, control.content_sha256, like.night, status, control.severity, population=len(items),
        passed=len(items) - len(seen), exceptions=fails, reviews=reviews, reason="" if fails or not reviews else "pending-review",
    )  # fmt: skip


def _phi(node: Mapping[str, Any], words: Sequence[str], declared: Collection[Place]) -> Iterator[str]:
    """Yield the names of PHI columns as the node writes them, and those a contract alone declares."""
    columns = {str(name): column for name, column in (node.get("columns") or {}).items()}
    relation = [str(node.get(part) or "").upper() for part in ("database", "schema")]
    relation.append(str(node.get("alias") or node.get("name") or "").upper())
    by_contract = {place[3] for place in declared if list(place[:3]) == relation}
    for name, column in columns.items():
        if name.upper() in by_contract or _marked(column, words):
            yield name
    yield from sorted(by_contract - {name.upper() for name in columns})


def _marked(column: Mapping[str, Any], words: Sequence[str]) -> bool:
    config = column.get("config") or {}
    tags = {str(tag).lower() for tag in [*_list(column.get("tags")), *_list(config.get("tags"))]}
    meta = {**(config.get("meta") or {}), **(column.get("meta") or {})}
    said = str(meta.get("classification") or meta.get("class") or "").lower()
    named = {str(name): str(value).lower() for name, value in meta.items() if value is not None}
    return (
        bool(tags & set(words))
        or any(said.startswith(word) for word in words)
        or any(named.get(word, "none") not in {"none", "no", "false"} for word in words)
        or meta.get("policy_required") is not None
    )


def _judge(node: Mapping[str, Any], column: str, masking: Masking) -> tuple[bool, str, str] | None:
    """Return None for a column that passes, else whether it fails, the reason and what is seen."""
    if any(_called(masking.hooks, _COMMENTS.sub(" ", hook)) for hook in _hooks(node)):
        return None
    text = node.get("raw_code") or node.get("raw_sql") or ""
    if node.get("resource_type") == "seed":
        return True, "not-masked", "a seed, and no hook that sets a policy"
    if not text or node.get("language", "sql") != "sql":
        return False, "text-unknown", f"a node in {node.get('language', 'sql')}"
    return _select_list(_COMMENTS.sub(" ", text), column, masking.macros)


def _select_list(text: str, column: str, macros: Sequence[str]) -> tuple[bool, str, str] | None:
    """Judge SQL without its comments: the macro must be all that gives the column."""
    name = re.escape(column)
    calls = "|".join(map(re.escape, macros))
    masked = re.compile(
        rf"\{{\{{-?\s*(?:\w+\.)*(?:{calls})\s*\([^(){{}}]*\)\s*-?\}}\}}\s*(?:as\s+)?[\"`]?{name}[\"`]?(?!\w)",
        re.IGNORECASE,
    )
    without, count = masked.subn(" ", text) if macros else (text, 0)
    if not count:
        return True, "not-masked", "no masking macro for the column, and no hook that sets a policy"
    rest = _JINJA.sub(" ", without)
    plain = re.compile(rf"\{{\{{-?\s*(?:ref|source|config|this|(?:\w+\.)*(?:{calls}))\b", re.IGNORECASE)
    if any(not plain.match(each) and not _BRANCH.fullmatch(each) for each in _JINJA.findall(without)):
        return False, "mask-unclear", "another macro or a branch beside the macro"
    if re.search(rf"(?<!\w){name}(?!\w)", rest, re.IGNORECASE) or _STAR.search(rest):
        return False, "mask-unclear", "the column, or *, beside the macro"
    return None


def _hooks(node: Mapping[str, Any]) -> Iterator[str]:
    config = node.get("config") or {}
    for hook in _list(config.get("post-hook", config.get("post_hook"))):
        yield str(hook.get("sql") or "") if isinstance(hook, Mapping) else str(hook)


def _called(names: Sequence[str], text: str) -> bool:
    calls = "|".join(map(re.escape, names))
    if not names or "{%" in text:  # a branch may leave it out
        return False
    return re.search(rf"\{{\{{-?\s*(?:\w+\.)*(?:{calls})\s*\(", text) is not None


def _list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
