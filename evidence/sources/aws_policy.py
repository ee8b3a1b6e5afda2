"""The least an AWS role needs for the datasets that are collected: its policy, its trust, and what the caller may assume.

Pure: documents out, nothing sent. Actions come from ``aws_operations.toml``, the list the guard enforces, so a grant can neither
be forgotten nor be wider than what can be sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from evidence.sources.aws_operations import Place, needed

VERSION: Final = "2012-10-17"
Document = dict[str, Any]


def actions(datasets: Iterable[str]) -> list[str]:
    """Return the IAM actions for ``datasets``, sorted; inventory reports left out."""
    return sorted({operation.action for operation in needed(datasets)})


def reading_policy(datasets: Sequence[str], places: Sequence[Place] = (), *, partition: str = "aws") -> Document:
    """Return the identity policy of the role that is assumed.

    Posture operations take ``*``: most of them have no narrower resource, and a list of names would hide what it leaves out.
    Objects are readable in ``places`` only, if inventory is among the datasets.
    """
    statements = [{"Sid": "EvidenceReadsSettings", "Effect": "Allow", "Action": actions(datasets), "Resource": "*"}]
    if any(operation.places for operation in needed(datasets, places=True)):
        for number, place in enumerate(places):
            statements += _report_statements(place, number, partition)
    return {"Version": VERSION, "Statement": statements}


def trust_policy(principal: str, external_id: str = "") -> Document:
    """Return the trust policy of that role: one principal, and the external id if one is used."""
    statement: Document = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return {"Version": VERSION, "Statement": [statement]}


def caller_policy(role_arns: Sequence[str]) -> Document:
    """Return what the collector's own identity needs: to assume these roles and nothing else."""
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": sorted(role_arns)}
    return {"Version": VERSION, "Statement": [statement]}


def beyond(
    document: Mapping[str, Any], datasets: Sequence[str], places: Sequence[Place] = (), *, partition: str = "aws"
) -> list[str]:
    """Return what ``document`` allows and the datasets do not need: actions, patterns, ``NotAction``, objects elsewhere.

    A pattern is always too much: it also grants what AWS adds later.
    """
    wanted: dict[str, list[Document]] = {}
    for statement in reading_policy(datasets, places, partition=partition)["Statement"]:
        for action in statement["Action"]:
            wanted.setdefault(action.lower(), []).append(statement)
    found: set[str] = set()
    for statement in _listed(document.get("Statement", [])):
        if statement.get("Effect") == "Allow":
            found |= _beyond(statement, wanted)
    return sorted(found)


def _beyond(statement: Mapping[str, Any], wanted: Mapping[str, Sequence[Document]]) -> set[str]:
    if "NotAction" in statement or "NotResource" in statement:
        return {"a statement by exclusion (NotAction or NotResource)"}
    found = set()
    for action in _listed(statement.get("Action", [])):
        needed_by = wanted.get(action.lower(), [])
        if not needed_by:
            found.add(action)
        for resource in _listed(statement.get("Resource", [])):
            if needed_by and not any(_within(statement, resource, needed) for needed in needed_by):
                found.add(f"{action} on {resource}")
    return found


def _within(statement: Mapping[str, Any], resource: str, needed_by: Document) -> bool:
    """Say whether a needed statement has this resource, or any, and asks for no condition that is missing here."""
    condition = needed_by.get("Condition")
    return needed_by["Resource"] in {"*", resource} and (not condition or statement.get("Condition") == condition)


def _report_statements(place: Place, number: int, partition: str) -> list[Document]:
    bucket = f"arn:{partition}:s3:::{place.bucket}"
    return [
        {
            "Sid": f"EvidenceListsReports{number}",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": bucket,
            "Condition": {"StringLike": {"s3:prefix": f"{place.prefix}*"}},
        },
        {
            "Sid": f"EvidenceReadsReports{number}",
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": f"{bucket}/{place.prefix}*",
        },
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
