"""Health data where it does not belong: comments, defaults and messages. Nothing is to be found; nothing is to get out."""

from evidence.demo import texts
from evidence.demo.events import login
from evidence.demo.world import World


def plant_texts(world: World) -> None:
    """Write invented patients into free text of the state views and into an error message."""
    state, phi = world.state, world.phi
    state.find("snowflake.users", NAME="AIRFLOW").values["COMMENT"] = texts.note(phi)
    state.find("snowflake.roles", NAME="FRAUD").values["COMMENT"] = texts.note(phi)
    state.find("snowflake.masking_policies", POLICY_NAME="MASK_PHI_STRING").values["POLICY_COMMENT"] = texts.note(phi)
    state.find("snowflake.network_policies", NAME="INTERNAL_ONLY").values["COMMENT"] = texts.note(phi)
    for path in ("MEMBER.MART.DIM_MEMBER", "CARE.MART.DIM_CARE_PLAN"):
        table = world.catalog.by_path[path]
        state.find("snowflake.tables", TABLE_ID=table.id).values["COMMENT"] = texts.note(phi)
        state.find("snowflake.columns", COLUMN_ID=table.columns[0].id).values["COMMENT"] = texts.note(phi)
        who = phi.patient()
        phi.plant(who.ssn)
        state.find("snowflake.columns", COLUMN_ID=table.columns[1].id).values["COLUMN_DEFAULT"] = f"'{who.ssn}'"
    _message(world)


def _message(world: World) -> None:
    """A sign-in that fails with the address of a member in the message."""
    who = world.phi.patient()
    world.phi.plant(who.mail)
    message = f"Incoming request for {who.mail} is not allowed to access Snowflake."
    row = login("ABEL.OKONJO", world.size.evening(2, 13, 1), "10.20.1.77", "SAML2_ASSERTION", error=("390191", message))
    world.logins.setdefault(2, []).append(row)
