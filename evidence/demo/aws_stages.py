"""External stages, the storage integration behind them and the AWS role it assumes, and deviations of each."""

import json
from typing import Any, Final

from evidence.demo.aws_buckets import AWS_ACCOUNT, LANDING, LANDING_KEY, ROLE
from evidence.demo.aws_storage import SNOWFLAKE_ACCOUNT
from evidence.demo.once import once, register
from evidence.demo.state import ALWAYS, Row
from evidence.demo.tables import BUILT
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER
from evidence.demo.world import World

STAGES, INTEGRATIONS, SETTINGS = "snowflake.stages", "snowflake.integrations", "snowflake.integrations_desc"
ROLES, POLICIES = "aws.iam_roles", "aws.iam_policies"
TRUST, EXTERNAL = "access-aws-role-trust", "data-external-stages"
STORAGE, TRIAL = "LANDING_S3", "TRIAL_GCS"
# folder of the landing bucket -> what it holds
_FOLDERS: Final = {
    "claims": "phi",
    "member": "phi",
    "pharmacy": "phi",
    "care": "phi",
    "provider": "other",
    "finance": "other",
}
_USER: Final = f"arn:aws:iam::{SNOWFLAKE_ACCOUNT}:user/k8f30000-s"
_READ: Final = f"arn:aws:iam::{AWS_ACCOUNT}:policy/snowflake-landing-read"
_ID, _NEW_ID = "FERNHOLLOW_SFCRole=2_aBcDeFgH", "FERNHOLLOW_SFCRole=4_kLmNoPqR"
_APPROVAL: Final = {"owner": "Data platform", "approved_by": OFFICER, "approved_on": APPROVED}


def build_stages(world: World) -> None:
    """Add one stage per feed, the integration, its role, and where files may lie."""
    once(world, INTEGRATIONS, integration(STORAGE, "STORAGE", "EXTERNAL_STAGE"), "name")
    gone = integration(TRIAL, "STORAGE", "EXTERNAL_STAGE")
    world.state.add(INTEGRATIONS, gone, first=61, last=62)
    for name, value in (
        ("STORAGE_PROVIDER", "S3"),
        ("STORAGE_AWS_ROLE_ARN", ROLE),
        ("STORAGE_AWS_IAM_USER_ARN", _USER),
        ("STORAGE_AWS_EXTERNAL_ID", _ID),
        ("STORAGE_ALLOWED_LOCATIONS", _allowed()),
    ):
        world.state.add(SETTINGS, setting(STORAGE, name, value))
    for number, folder in enumerate(_FOLDERS):
        _stage(world, number, f"{folder.upper()}.RAW.INBOUND", f"s3://{LANDING}/{folder}/")
    world.state.add(ROLES, _role("snowflake-landing", _trust(_USER, _ID), attached=[_READ], inline=_inline()))
    pipeline = {"Federated": f"arn:aws:iam::{AWS_ACCOUNT}:oidc-provider/ci.example"}
    assumed = {"Effect": "Allow", "Principal": pipeline, "Action": "sts:AssumeRoleWithWebIdentity"}
    world.state.add(ROLES, _role("pipeline", _document(assumed)))
    world.state.add(POLICIES, _policy(_READ, _reading()))
    _register(world)


def _register(world: World) -> None:
    """Register each folder; one registration runs out in September and is renewed late."""
    night = world.size.night
    for folder, holds in _FOLDERS.items():
        place = {"url": f"s3://{LANDING}/{folder}/", "holds": holds, "env": "prod", "direction": "in"} | _APPROVAL
        if folder == "pharmacy":
            register(world, "locations", place | {"expires": night(76)})
            place["approved_on"] = night(80)
        register(world, "locations", place | {"expires": EXPIRES})


def plant_stages(world: World) -> None:
    """Plant them all."""
    _plant_stages(world)
    _plant_roles(world)


def _plant_stages(world: World) -> None:
    expect = world.expect
    url = f"s3://{LANDING}/claims/adhoc/"
    _stage(world, 20, "CLAIMS.RAW.ADHOC", url, None, first=10, last=11)
    expect("stage-without-integration", EXTERNAL, f"CLAIMS.RAW.ADHOC at {url}", "no-integration", 10, 11)
    url = f"s3://{LANDING}/legacy/"
    _stage(world, 21, "MEMBER.RAW.LEGACY", url, first=45, last=46)
    _property(world, "STORAGE_ALLOWED_LOCATIONS").change(45, 46, property_value=f"{_allowed()},{url}")
    expect("stage-not-registered", EXTERNAL, f"MEMBER.RAW.LEGACY at {url}", "not-registered", 45, 46)
    expect("stage-not-registered", EXTERNAL, f"{STORAGE} allows {url}", "not-registered", 45, 46)
    for name, value in (("STORAGE_PROVIDER", "GCS"), ("STORAGE_ALLOWED_LOCATIONS", "*")):
        world.state.add(SETTINGS, setting(TRIAL, name, value), first=61, last=62)
    expect("integration-allows-all", EXTERNAL, f"{TRIAL} allows *", "everything-allowed", 61, 62)
    url = f"s3://{LANDING}/pharmacy/"
    for item in (f"PHARMACY.RAW.INBOUND at {url}", f"{STORAGE} allows {url}"):
        expect("location-registration-expires", EXTERNAL, item, "registration-expired", 76, 79)


def _plant_roles(world: World) -> None:
    """An integration made anew has another external id: the trust follows two days later."""
    state, expect = world.state, world.expect
    role, managed = state.find(ROLES, arn=ROLE), state.find(POLICIES, arn=_READ)
    _property(world, "STORAGE_AWS_EXTERNAL_ID").change(7, ALWAYS, property_value=_NEW_ID)
    role.change(9, ALWAYS, trust_policy=_trust(_USER, _NEW_ID))
    expect("old-external-id", TRUST, ROLE, "no-external-id", 7, 8)
    everything = [f"arn:aws:s3:::{LANDING}", f"arn:aws:s3:::{LANDING}/*"]
    managed.change(38, 39, document=_document(_granting(["s3:GetObject", "s3:ListBucket"], everything)))
    expect("role-reads-whole-bucket", TRUST, ROLE, "wide-resource", 38, 39)
    managed.change(56, 58, document=_document(_granting(["s3:*"], everything[:1])))
    expect("role-may-do-all", TRUST, ROLE, "wide-action", 56, 58)
    left = _role("snowflake-trial", _trust(_USER, "FERNHOLLOW_SFCRole=3_sTuVwXyZ"))
    state.add(ROLES, left, first=72)
    expect("role-left-behind", TRUST, f"{left['arn']}", "no-integration", 72)


def integration(name: str, category: str, kind: str) -> dict[str, Any]:
    """Return a row of SHOW INTEGRATIONS."""
    return {"name": name, "category": category, "type": kind, "enabled": "true", "comment": "", "created_on": BUILT}


def setting(name: str, key: str, value: str) -> dict[str, Any]:
    """Return a row of DESCRIBE INTEGRATION."""
    kind = "List" if key.endswith("S") else "String"
    return {"integration_name": name, "property": key, "property_type": kind, "property_value": value}


def _property(world: World, name: str) -> Row:
    return world.state.find(SETTINGS, integration_name=STORAGE, property=name)


def _stage(world: World, number: int, path: str, url: str, integrated: str | None = STORAGE, **nights: int) -> None:
    database, schema, name = path.split(".")
    row = {
        "STAGE_ID": 5100 + number,
        "STAGE_NAME": name,
        "STAGE_SCHEMA": schema,
        "STAGE_CATALOG": database,
        "STAGE_URL": url,
        "STAGE_REGION": "us-east-1",
        "STAGE_TYPE": "External Named",
        "STAGE_OWNER": "SNOWPIPE_LOADER",
        "CREATED": BUILT,
        "LAST_ALTERED": BUILT,
        "OWNER_ROLE_TYPE": "ROLE",
        "STORAGE_INTEGRATION": integrated,
    }
    world.state.add(STAGES, row, **nights)


def _allowed() -> str:
    return ",".join(f"s3://{LANDING}/{folder}/" for folder in _FOLDERS)


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _granting(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _reading() -> str:
    files = [f"arn:aws:s3:::{LANDING}/{folder}/*" for folder in _FOLDERS]
    listed = _granting(["s3:ListBucket", "s3:GetBucketLocation"], [f"arn:aws:s3:::{LANDING}"])
    return _document(_granting(["s3:GetObject", "s3:GetObjectVersion"], files), listed)


def _inline() -> str:
    document = json.loads(_document(_granting(["kms:Decrypt"], [LANDING_KEY])))
    return json.dumps([{"name": "decrypt", "document": document}])


def _trust(user: str, external_id: str) -> str:
    asked = {"StringEquals": {"sts:ExternalId": external_id}}
    allowed = {"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"}
    return _document(allowed | {"Condition": asked})


def _role(name: str, trust: str, *, attached: list[str] | None = None, inline: str = "[]") -> dict[str, Any]:
    return {
        "account": AWS_ACCOUNT,
        "region": "global",
        "arn": f"arn:aws:iam::{AWS_ACCOUNT}:role/{name}",
        "name": name,
        "role_id": f"AROA{name.replace('-', '').upper():0<16.16}",
        "path": "/",
        "created_at": BUILT,
        "trust_policy": trust,
        "attached_policies": attached or [],
        "inline_policies": inline,
        "permissions_boundary": "unset",
    }


def _policy(arn: str, document: str) -> dict[str, Any]:
    return {
        "account": AWS_ACCOUNT,
        "region": "global",
        "arn": arn,
        "name": arn.rpartition("/")[2],
        "path": "/",
        "aws_managed": False,
        "default_version": "v1",
        "attachments": 1,
        "document": document,
        "created_at": BUILT,
        "updated_at": BUILT,
    }
