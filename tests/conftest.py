"""Order of the files: those that take long go first, so that no worker is left alone with one at the end."""

from pathlib import Path

LONG = (
    "year", "short_job", "wire", "packet_build", "wire_faults", "gate_command", "review_command", "controls", "render_packet",
    "kill_collector", "two_collectors", "retention", "verify_limits", "check_command", "demo",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    places = {f"test_{name}": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(Path(item.path).stem, len(LONG)))
