"""People's own users in the AWS accounts and their root users, and deviations of both."""

from typing import Any, Final

from evidence.demo.aws_buckets import ARCHIVE_ACCOUNT, AWS_ACCOUNT, SUMMARY
from evidence.demo.state import ALWAYS, Row
from evidence.demo.tables import BUILT
from evidence.demo.world import World

REPORT = "aws.iam_credential_report"
HUMANS = "identity-aws-humans"
_ROOT: Final = "<root_account>"


def build_people_of_aws(world: World) -> None:
    """Add the credential report: root users, two people, and a job whose key is made anew in August."""
    for account in (AWS_ACCOUNT, ARCHIVE_ACCOUNT):
        _user(world, account, _ROOT, {"password_enabled": "not_supported"})
    _user(world, AWS_ACCOUNT, "rescue-01")
    _user(world, ARCHIVE_ACCOUNT, "rescue-02")
    made = world.size.evening
    keys = {"access_key_1_active": True, "access_key_1_last_rotated": made(-30, 9)}
    job = _user(world, AWS_ACCOUNT, "mirror", {"password_enabled": "false", "mfa_active": False} | keys)
    job.change(48, ALWAYS, access_key_1_last_rotated=made(48, 9))


def plant_people_of_aws(world: World) -> None:
    """Plant them all."""
    state, expect, made = world.state, world.expect, world.size.evening
    rescue = state.find(REPORT, account=AWS_ACCOUNT, user_name="rescue-01")
    rescue.change(4, 6, mfa_active=False)
    expect("console-without-second-factor", HUMANS, f"{AWS_ACCOUNT} user rescue-01", "no-second-factor", 4, 6)
    root = state.find(SUMMARY, account=ARCHIVE_ACCOUNT)
    root.change(10, 10, account_access_keys_present=1)
    expect("root-key-made", HUMANS, f"{ARCHIVE_ACCOUNT} root", "root-keys", 10, 10)
    root.change(60, 61, account_mfa_enabled=False)
    expect("root-without-second-factor", HUMANS, f"{ARCHIVE_ACCOUNT} root", "root-no-second-factor", 60, 61)
    # 90 days after it was made lie between the captures of nights 69 and 70.
    late = state.find(REPORT, account=ARCHIVE_ACCOUNT, user_name="rescue-02")
    late.change(20, ALWAYS, access_key_2_active=True, access_key_2_last_rotated=made(-20, 9))
    late.change(79, ALWAYS, access_key_2_active=False)
    expect("key-too-old", HUMANS, f"{ARCHIVE_ACCOUNT} user rescue-02", "old-key", 70, 78)


def _user(world: World, account: str, name: str, extra: dict[str, Any] | None = None) -> Row:
    owned = "root" if name == _ROOT else f"user/{name}"
    row = {
        "account": account,
        "region": "global",
        "user_name": name,
        "arn": f"arn:aws:iam::{account}:{owned}",
        "created_at": BUILT,
        "password_enabled": "true",
        "mfa_active": True,
        "access_key_1_active": False,
        "access_key_2_active": False,
        "cert_1_active": False,
        "cert_2_active": False,
    }
    return world.state.add(REPORT, row | (extra or {}))
