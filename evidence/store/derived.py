"""Checking what anyone can make from the commit records: tiles, bundles and the cached checkpoint. Nothing trusts them."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from evidence.errors import EvidenceError, ObjectNotFoundError
from evidence.snapshot.check import Check, failed, proved, unmade
from evidence.store.history import History
from evidence.store.objects import CACHE_PATH, ObjectStore
from evidence.store.reading import MAX_SMALL, small
from evidence.tlog import tile

_DERIVED: Final = ("log/tile/", "log/entries/")


def check_derived(store: ObjectStore, history: History) -> Iterator[Check]:
    """Compare every derived file with what the records give; one that is absent is said, and no failure."""
    expected = dict(_derived(history))
    present = [path for prefix in _DERIVED for path in store.list(prefix)]
    for path in present:
        if path not in expected:
            yield failed("tiles", f"{path} is not derived from this log", path)
        else:
            yield from _check_equal(store, path, expected[path])
    absent = sorted(set(expected) - set(present))
    detail = f"{len(present)} tiles and bundles, {len(absent)} not written yet"
    yield proved("tiles", detail) if not absent else unmade("tiles", detail, absent[0])
    yield from _check_cache(store, history)


def check_made_since(store: ObjectStore, history: History, first: int) -> Iterator[Check]:
    """Compare the bundles from ``first`` on, and the tiles they complete, with what the records give; look at no other."""
    there, absent = 0, []
    for path, make in _derived(history, first):
        if store.head(path) is None:
            absent.append(path)
        else:
            there += 1
            yield from _check_equal(store, path, make)
    detail = f"{there} tiles and bundles made since the kept checkpoint, {len(absent)} not written yet"
    yield proved("tiles", detail) if not absent else unmade("tiles", detail, absent[0])
    yield from _check_cache(store, history)


def _check_cache(store: ObjectStore, history: History) -> Iterator[Check]:
    try:
        cached = small(store, CACHE_PATH, MAX_SMALL).decode()
        history.check_remembered(cached, CACHE_PATH)
    except ObjectNotFoundError:
        return
    except (EvidenceError, OSError, UnicodeDecodeError) as exc:
        yield failed("tiles", f"{CACHE_PATH}: {exc}", CACHE_PATH)


def _derived(history: History, first: int = 0) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield path and bytes, made when asked for, of every tile and bundle that the log gives, from bundle ``first`` on."""
    for bundle in range(first, history.size // tile.WIDTH):
        start = bundle * tile.WIDTH
        yield tile.bundle_path(bundle), partial(_bundle, history, start)
        for level, index in tile.completed_by(bundle):
            yield tile.tile_path(level, index), partial(tile.encode_tile, history.tree, level, index)


def _bundle(history: History, start: int) -> bytes:
    return tile.encode_bundle(history.slice(start, start + tile.WIDTH))


def _check_equal(store: ObjectStore, path: str, make: Callable[[], bytes]) -> Iterator[Check]:
    expected = make()
    try:
        same = small(store, path, len(expected)) == expected
    except (EvidenceError, OSError) as exc:
        yield failed("tiles", f"{path}: {exc}", path)
        return
    if not same:
        yield failed("tiles", f"{path} differs from what the commit records give", path)
