"""Parameters that protect data, of the account and of users, and deviations of them."""

from typing import Final

from evidence.demo.governance import parameter
from evidence.demo.people import person_of
from evidence.demo.world import World

ACCOUNT, USERS = "snowflake.parameters", "snowflake.user_parameters"
PARAMETERS = "data-account-parameters"
# key -> value, default, type; the others of the control are there already
_MORE: Final = {
    "CLIENT_ENCRYPTION_KEY_SIZE": ("256", "128", "NUMBER"),
    "PREVENT_UNLOAD_TO_INTERNAL_STAGES": ("true", "false", "BOOLEAN"),
    "ENABLE_UNREDACTED_QUERY_SYNTAX_ERROR": ("false", "false", "BOOLEAN"),
}


def build_settings(world: World) -> None:
    """Add what the account sets, and what applies to two services."""
    for key, (value, default, kind) in _MORE.items():
        level = "ACCOUNT" if value != default else ""
        row = parameter(key, value, default, level, kind)
        world.state.add(ACCOUNT, row)
        for user in ("DBT_PROD", "FIVETRAN"):
            world.state.add(USERS, {"user_name": user} | row)


def plant_settings(world: World) -> None:
    """Plant them all."""
    state, expect = world.state, world.expect
    setting = state.find(ACCOUNT, key="PREVENT_UNLOAD_TO_INLINE_URL")
    setting.change(4, 5, value="false", level="")
    expect("unload-to-any-place", PARAMETERS, "PREVENT_UNLOAD_TO_INLINE_URL", "wrong-value", 4, 5)
    person = person_of(world.workforce, "DATA_ENG", 1).user
    weak = parameter("PREVENT_UNLOAD_TO_INTERNAL_STAGES", "false", "false", "USER")
    state.add(USERS, {"user_name": person} | weak, first=25, last=27)
    item = f"{person} PREVENT_UNLOAD_TO_INTERNAL_STAGES"
    expect("user-may-unload", PARAMETERS, item, "user-override", 25, 27)
    state.find(ACCOUNT, key="PERIODIC_DATA_REKEYING").change(49, 50, value="false", level="")
    expect("rekeying-off", PARAMETERS, "PERIODIC_DATA_REKEYING", "wrong-value", 49, 50)
    state.find(ACCOUNT, key="CLIENT_ENCRYPTION_KEY_SIZE").absent.append((80, 81))
    expect("parameter-not-shown", PARAMETERS, "CLIENT_ENCRYPTION_KEY_SIZE", "not-listed", 80, 81)
