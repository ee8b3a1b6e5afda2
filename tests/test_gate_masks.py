"""PHI columns that a pull request would build without the project's masking: nothing passes that the manifest does not show."""

import pytest

from evidence.control.masks import Masking, examine, finding_of, missing
from evidence.control.result import NightFinding

MASKING = Masking(macros=("mask_email",), hooks=("apply_policies",))
MASKED = "select id, {{ mask_email('m.email') }} as email from {{ ref('m') }} m"


def node(text, hooks=(), **more):
    columns = {"email": {"tags": ["phi"]}, "id": {"tags": []}}
    config = {"materialized": "table", "post-hook": [{"sql": hook} for hook in hooks], **more.pop("config", {})}
    return {"resource_type": "model", "columns": columns, "config": config, "raw_code": text, "language": "sql", **more}


def seen(each, declared=()):
    items, found = examine({"nodes": {"model.p.members": each}}, MASKING, ("phi", "pii"), set(declared), "dbt")
    return items, [(o.item, o.result, o.reason) for o in found]


ITEM = "dbt/model.p.members.email"


@pytest.mark.parametrize(
    "each",
    [
        node(MASKED),
        node("{{ config(tags=['x']) }} -- email\nselect {{ p.mask_email('a') }} email\nfrom t"),
        node(MASKED + "{% if is_incremental() %} where id > 1 {% endif %}"),
        node("select email from t", ["{{ p.apply_policies(this) }}"]),
    ],
)
def test_a_macro_for_the_column_or_a_hook_of_the_node_masks(each):
    assert seen(each) == ([ITEM], [])


@pytest.mark.parametrize(
    ("each", "result", "reason"),
    [
        (node("select id, email from t"), "fail", "not-masked"),
        (node("-- {{ mask_email('email') }} as email\nselect email from t"), "fail", "not-masked"),
        (node("select {{ mask_email('phone') }} as phone, email from t"), "fail", "not-masked"),
        (node("select {{ mask_email('x') if false else f('x') }} as email from t"), "fail", "not-masked"),
        (node("select email from t", ["grant select on {{ this }} to role x", "-- {{ apply_policies(this) }}"]), "fail", "not-masked"),
        (node("", resource_type="seed"), "fail", "not-masked"),
        (node("with a as (" + MASKED + ") select email from raw"), "review", "mask-unclear"),
        (node("with a as (" + MASKED + ") select * from raw"), "review", "mask-unclear"),
        (node(MASKED.replace(" from", ", {{ star(ref('m')) }} from")), "review", "mask-unclear"),
        (node("{% if target.name == 'x' %}" + MASKED + "{% endif %}"), "review", "mask-unclear"),
        (node(""), "review", "text-unknown"),
        (node(MASKED, language="python"), "review", "text-unknown"),
    ],
)  # fmt: skip
def test_what_is_not_masked_fails_and_what_may_not_be_goes_to_a_person(each, result, reason):
    assert seen(each) == ([ITEM], [(ITEM, result, reason)])


def test_phi_by_meta_by_config_and_by_contract_and_what_is_not_built():
    plain = node("select email from t", database="d", schema="s", name="members", columns={})
    assert seen(plain) == ([], [])
    assert seen(plain, [("D", "S", "MEMBERS", "SSN")])[1] == [("dbt/model.p.members.SSN", "fail", "not-masked")]
    for column in ({"meta": {"classification": "PHI-direct"}}, {"config": {"meta": {"pii": True}}}, {"meta": {"policy_required": ["masking"]}}):  # fmt: skip
        assert seen(node("select email", columns={"email": column}))[0] == [ITEM]
    assert seen(node("select email", columns={"email": {"meta": {"phi": "none"}}}))[0] == []
    assert seen(node("select email", config={"enabled": False}))[0] == []
    assert seen(node("select email", config={"materialized": "ephemeral"}))[0] == []


def test_a_declared_macro_that_is_not_there_is_said():
    assert missing({"macros": {"macro.p.mask_email": {}}}, MASKING) == ["apply_policies"]


def test_the_finding_follows_the_algebra():
    import types

    control = types.SimpleNamespace(id="g", version="1.0.0", content_sha256="0" * 64, severity="critical")
    like = NightFinding("g", "1.0.0", "0" * 64, None, "not-assessed", "critical")
    for each, status in (
        (node("select email"), "not-satisfied"),
        (node(""), "not-assessed"),
        (node(MASKED), "satisfied"),
    ):
        items, found = examine({"nodes": {"model.p.members": each}}, MASKING, ("phi",), set(), "dbt")
        assert finding_of(control, like, items, found).status == status
