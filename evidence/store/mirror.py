"""A second copy of a store beside the first: which of the two lacks or damaged what, and what is safe to do about it.

Nothing is copied here. What the log names is the same in both by digest, so bringing back an absent or damaged object from
the copy that has it changes no evidence; anything else would.
"""

from collections.abc import Collection, Iterator
from typing import Final

from evidence.snapshot.check import Check, failed, proved, unmade
from evidence.store.committed import check_objects
from evidence.store.history import History
from evidence.store.objects import ObjectStore

_STEP: Final = "mirror"


def check_mirror(
    history: History,
    mirror: ObjectStore,
    copied: History,
    damaged: Collection[str],
    disposed: Collection[int] = (),
    *,
    jobs: int = 1,
) -> Iterator[Check]:
    """Compare the store of ``history`` with ``mirror``, whose own verified records are ``copied``.

    ``damaged`` are the paths that failed in the store itself; entries that are ``disposed`` of need not be in the mirror either.
    """
    common = min(history.size, copied.size)
    if not common:
        yield failed(_STEP, "has no log to compare", mirror.url)
        return
    if history.tree.root(common) != copied.tree.root(common):
        yield failed(
            _STEP,
            f"two histories: other entries up to size {common}. Stop; keep both and find out who signed",
            mirror.url,
        )
        return
    yield _lengths(history.size, copied.size, mirror.url)
    whole = True
    held = set(damaged)
    there = [index for index in range(common) if index not in disposed]
    for check in check_objects(mirror, history, there, set(), jobs=jobs):
        if check.ok is not False:
            continue
        whole = False
        if check.subject in held:
            held.discard(check.subject)
            yield failed(_STEP, f"damaged or absent in both copies; in the mirror: {check.detail}", check.subject)
        else:
            detail = f"only the mirror's is damaged or absent: {check.detail}. Safe to set it aside and copy it from the store"
            yield failed(_STEP, detail, check.subject)
    for path in sorted(held):
        yield unmade(_STEP, "whole in the mirror, not in the store: safe to copy it back under the same name", path)
    if whole:
        yield proved(_STEP, f"has every object of the {common} entries in common, with the same bytes", mirror.url)


def _lengths(ours: int, theirs: int, url: str) -> Check:
    if theirs > ours:
        return failed(
            _STEP,
            f"the mirror has {theirs} entries, the store {ours}: the store went back in time, or is the copy of the two. "
            "Safe to copy the missing log/commit objects back; find out why first",
            url,
        )
    if theirs < ours:
        return unmade(_STEP, f"the mirror has {theirs} of {ours} entries: it lags behind; safe to copy the rest", url)
    return proved(_STEP, f"the same log of {ours} entries", url)
