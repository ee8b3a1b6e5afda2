"""The memory of what was computed lately: bounded, and it keeps what is asked for."""

from hypothesis import given
from hypothesis import strategies as st

from evidence.snapshot.recent import _OVERHEAD, Recent

UNIT = 100 + _OVERHEAD  # what an entry of weight 100 costs


@given(st.lists(st.integers(0, 60), max_size=300))
def test_it_answers_only_with_what_was_kept_and_stays_small(keys):
    recent: Recent[int, str] = Recent(40 * UNIT)
    for key in keys:
        found = recent.get(key)
        assert found in {None, f"v{key}"}
        if found is None:
            recent.keep(key, f"v{key}", 100)
        assert recent.get(key) == f"v{key}"
        assert len(recent._young) + len(recent._old) <= 41


def test_what_is_asked_for_stays():
    recent: Recent[object, int] = Recent(40 * UNIT)
    recent.keep("often", 1, 100)
    for n in range(1000):
        recent.keep(n, n, 100)
        assert recent.get("often") == 1
    assert recent.get(0) is None


def test_what_is_too_large_is_not_kept():
    recent: Recent[str, int] = Recent(40 * UNIT)
    recent.keep("large", 1, 20 * UNIT)
    assert recent.get("large") is None
