"""evidence.toml: the example names every key, defaults are what it says, mistakes name file and key."""

import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from evidence import config
from evidence.errors import ConfigError, worst

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"
SECTIONS = {
    "entity": config.EntityConfig, "store": config.StoreConfig, "log": config.LogConfig,
    "redaction": config.RedactionConfig, "collect": config.CollectConfig, "assess": config.AssessConfig,
    "gate": config.GateConfig, "packet": config.PacketConfig, "packet.brand": config.BrandConfig, "publish": config.PublishConfig,
    "alerts": config.AlertsConfig, "schedule": config.ScheduleConfig, "alerts.targets.on-call": config.AlertTargetConfig, "alerts.tickets.board": config.TicketsConfig,
}  # fmt: skip
SOURCES = {
    "carrier": config.SnowflakeSourceConfig, "carrier.elevated": config.SnowflakeElevatedConfig,
    "exports": config.FilesSourceConfig, "dbt": config.DbtSourceConfig,
    "products": config.ContractsSourceConfig, "aws": config.AwsSourceConfig,
    "records": config.RecordsSourceConfig, "infrastructure": config.TerraformSourceConfig,
}  # fmt: skip


def keys_of(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields) - {"elevated", "targets", "tickets", "brand"}  # a section of its own


def shown_keys(section: str) -> set[str]:
    """Keys set in a section of the example, those shown in comments included."""
    body = EXAMPLE.read_text().split(f"[{section}]", 1)[1].split("\n[", 1)[0]
    lines = [line.removeprefix("# ") for line in body.splitlines()]
    return {line.split(" = ")[0] for line in lines if " = " in line and " " not in line.split(" = ")[0]}


@pytest.mark.parametrize("section", SECTIONS)
def test_the_example_names_every_key_of_a_section(section):
    assert shown_keys(section) == keys_of(SECTIONS[section])


@pytest.mark.parametrize("name", SOURCES)
def test_the_example_names_every_key_of_each_kind_of_source(name):
    assert shown_keys(f"sources.{name}") == keys_of(SOURCES[name])


def test_the_example_loads_and_its_values_are_the_defaults():
    loaded = config.load(EXAMPLE)
    for section in ("store", "log", "redaction", "assess", "gate", "packet", "schedule"):
        assert getattr(loaded, section) == SECTIONS[section](), section
    top = keys_of(config.Config) - {"workspace", "sha256"}
    assert top == {name for name in SECTIONS if "." not in name} | {"sources", "demo", "retention"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[entity]\nname='x'", "entity.system"),
        ("[entity]\nname='x'\nsystem='y'\n[store]\nurll='z'", "store.urll"),
        ("[entity]\nname='x'\nsystem='y'\n[log]\nkey='secret-in-the-open'", "log.key"),
        ("[entity]\nname='x'\nsystem='y'\n[sources.A]\nkind='files'\npath='.'", "sources.A"),
        ("[entity", "does not parse"),
    ],
)
def test_mistakes_name_file_and_key(tmp_path, text, named):
    (tmp_path / "evidence.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"evidence\.toml") as caught:
        config.load(tmp_path)
    assert named in str(caught.value)
    assert "secret-in-the-open" not in str(caught.value)


def test_secrets_are_references(tmp_path, monkeypatch):
    (tmp_path / "evidence.toml").write_text("[entity]\nname='x'\nsystem='y'")
    (tmp_path / "key").write_bytes(b"from a file")
    loaded = config.load(tmp_path)
    assert loaded.secret("file:key") == b"from a file"
    monkeypatch.setenv("EVIDENCE_TEST_SECRET", "from the environment")
    assert loaded.secret("env:EVIDENCE_TEST_SECRET") == b"from the environment"
    for missing in ("file:nothing", "env:EVIDENCE_TEST_NOTHING"):
        with pytest.raises(ConfigError):
            loaded.secret(missing)


def test_content_is_found_beside_the_package():
    assert (config.content_root() / "controls").is_dir()


def test_the_example_is_plain_toml():
    assert tomllib.loads(EXAMPLE.read_text())["entity"]["name"]


def test_the_most_severe_exit_code_wins():
    assert worst([]) == 0
    assert worst([8, 7, 5, 0]) == 5
    assert worst([3, 9, 10]) == 10
    assert worst([3, 9]) == 9
