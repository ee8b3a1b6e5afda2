"""Two RFC 6962 implementations that are not ours judge our proofs, in an environment and a process of their own.

This file runs in the environment of ``requirements/merkle.txt`` alone and is never imported (decision 0142). Each line of
standard input is one size with our proofs; each line of the answer says what pymerkle has for the root and the inclusion
proofs, and how many of our proofs tamperlog's verifiers accept under pymerkle's roots, as they are and with one hash changed.
"""

import json
import sys
from collections.abc import Sequence

from pymerkle import InmemoryTree, verify_inclusion
from tamperlog import ProofError
from tamperlog import verify_consistency as judge_consistency
from tamperlog import verify_inclusion as judge_inclusion


def inclusion(tree: InmemoryTree, index: int, size: int) -> list[str]:
    """Return pymerkle's proof, which it verified; its path begins with the leaf, RFC 6962's does not."""
    proof = tree.prove_inclusion(index + 1, size)
    verify_inclusion(tree.get_leaf(index + 1), tree.get_root(size), proof, index=index + 1, size=size)
    return list(proof.serialize()["path"][1:])


def accepts_consistency(tree: InmemoryTree, old: int, size: int, proof: Sequence[bytes]) -> bool:
    try:
        judge_consistency(old, tree.get_root(old), size, tree.get_root(size), list(proof))
    except ProofError:
        return False
    return True


def accepts_inclusion(tree: InmemoryTree, index: int, size: int, proof: Sequence[bytes]) -> bool:
    try:
        judge_inclusion(index, size, tree.get_leaf(index + 1), list(proof), tree.get_root(size))
    except ProofError:
        return False
    return True


def changed(proof: Sequence[bytes]) -> list[bytes]:
    """One bit of one hash flipped; of an empty proof, one hash too many."""
    at = len(proof) // 2
    return [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]] if proof else [bytes(32)]


def answer(tree: InmemoryTree, line: str) -> dict[str, object]:
    asked = json.loads(line)
    size = asked["size"]
    ours = [(index, [bytes.fromhex(h) for h in proof]) for index, proof in asked["inclusion"]]
    grown = [(old, [bytes.fromhex(h) for h in proof]) for old, proof in asked["consistency"]]
    return {
        "size": size,
        "root": tree.get_root(size).hex(),
        "inclusion": [[index, inclusion(tree, index, size)] for index, _ in ours],
        "accepted": [
            sum(accepts_inclusion(tree, index, size, proof) for index, proof in ours),
            sum(accepts_consistency(tree, old, size, proof) for old, proof in grown),
        ],
        "accepted changed": sum(accepts_inclusion(tree, index, size, changed(proof)) for index, proof in ours)
        + sum(accepts_consistency(tree, old, size, changed(proof)) for old, proof in grown),
    }


def main() -> None:
    tree = InmemoryTree(algorithm="sha256")
    tree.append_entries([b"entry %d" % number for number in range(int(sys.argv[1]))])
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(tree, line)) + "\n")


if __name__ == "__main__":
    main()
