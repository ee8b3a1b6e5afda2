"""Roots and proofs against two implementations that share no code with ours: equal where they make them, accepted where they judge."""

import json
import subprocess
from pathlib import Path

import pytest

from evidence.tlog.merkle import Tree, leaf_hash
from tests.servers.venvs import ensure

PEER = Path(__file__).parent / "servers" / "merkle_peer.py"
LARGE = [1_000, 4_095, 4_096, 4_097, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 100_003]
PLACES = [0, 1, 2, 3, 254, 255, 256, 257, 1_023, 4_095, 4_096, 9_999, 32_767, 65_535, 65_536, 99_999, 100_002]


def grown(size):
    return Tree(leaf_hash(b"entry %d" % number) for number in range(size))


def spelled(tree, size, indexes, olds):
    return {
        "size": size,
        "inclusion": [(index, [h.hex() for h in tree.inclusion(index, size)]) for index in indexes],
        "consistency": [(old, [h.hex() for h in tree.consistency(old, size)]) for old in olds],
    }


def judged(entries, proofs):
    made = subprocess.run(
        [str(ensure("merkle")), str(PEER), str(entries)], input="\n".join(json.dumps(one) for one in proofs),
        capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    answers = [json.loads(line) for line in made.stdout.splitlines()]
    assert [answer["size"] for answer in answers] == [one["size"] for one in proofs]
    return answers


def compare(tree, proofs):
    for ours, theirs in zip(proofs, judged(tree.size, proofs), strict=True):
        size = ours["size"]
        assert theirs["root"] == tree.root(size).hex(), size
        assert theirs["inclusion"] == [list(pair) for pair in ours["inclusion"]], size
        assert theirs["accepted"] == [len(ours["inclusion"]), len(ours["consistency"])], size
        assert theirs["accepted changed"] == 0, size


def every(tree, first, last):
    return [spelled(tree, size, range(size), range(1, size + 1)) for size in range(first, last + 1)]


def test_every_proof_of_sizes_up_to_80():
    tree = grown(80)
    compare(tree, every(tree, 1, 80))


@pytest.mark.slow
def test_every_proof_of_sizes_up_to_300():
    tree = grown(300)
    compare(tree, every(tree, 121, 300))


def test_large_trees():
    tree = grown(max(LARGE))
    compare(
        tree,
        [spelled(tree, size, [p % size for p in PLACES], [p % size + 1 for p in PLACES]) for size in LARGE],
    )


def test_the_comparison_notices_another_tree():
    """One leaf spelled otherwise: the root, the proofs and the judgement of every proof that has it differ."""
    other = Tree(leaf_hash(b"entry %d" % number if number != 4 else b"Entry 4") for number in range(9))
    ours = spelled(other, 9, range(9), range(1, 10))
    (theirs,) = judged(9, [ours])
    assert theirs["root"] != other.root().hex()
    assert theirs["inclusion"] != [list(pair) for pair in ours["inclusion"]]
    assert theirs["accepted"] == [1, 2]  # those without that leaf: entry 4's own, from 8 (one leaf) and from 9 (empty)
