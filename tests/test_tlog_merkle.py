"""RFC 6962 hashes and proofs against the definitions written out naively, and against published vectors."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import UsageError, VerificationError
from evidence.tlog.merkle import EMPTY_ROOT, Tree, leaf_hash, verify_consistency, verify_inclusion

# Test leaves and roots of the Certificate Transparency reference implementations.
LEAVES = [
    bytes.fromhex(text)
    for text in ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATH_0_OF_8 = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]


def mth(entries):
    """RFC 6962 section 2.1, word for word."""
    n = len(entries)
    if n == 0:
        return hashlib.sha256().digest()
    if n == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = max(2**i for i in range(n.bit_length()) if 2**i < n)
    return hashlib.sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m, entries):
    """RFC 6962 section 2.1.1, word for word."""
    n = len(entries)
    if n == 1:
        return []
    k = max(2**i for i in range(n.bit_length()) if 2**i < n)
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def subproof(m, entries, *, b):
    """RFC 6962 section 2.1.2, word for word."""
    n = len(entries)
    if m == n:
        return [] if b else [mth(entries)]
    k = max(2**i for i in range(n.bit_length()) if 2**i < n)
    if m <= k:
        return [*subproof(m, entries[:k], b=b), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], b=False), mth(entries[:k])]


def tree_of(entries):
    return Tree(leaf_hash(entry) for entry in entries)


def some(n):
    return [b"entry %d" % i for i in range(n)]


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size):
    assert tree_of(LEAVES).root(size).hex() == ROOTS[size]
    assert tree_of(LEAVES[:size]).root().hex() == ROOTS[size]


def test_published_inclusion_path():
    assert [item.hex() for item in tree_of(LEAVES).inclusion(0)] == PATH_0_OF_8


@pytest.mark.parametrize("n", range(1, 36))
def test_every_proof_of_small_trees_is_the_rfc_s_and_verifies(n):
    entries = some(n)
    tree = tree_of(entries)
    for size in range(1, n + 1):
        root = mth(entries[:size])
        assert tree.root(size) == root
        for index in range(size):
            proof = tree.inclusion(index, size)
            assert list(proof) == path(index, entries[:size])
            verify_inclusion(leaf_hash(entries[index]), index, size, proof, root)
    for old in range(1, n + 1):
        proof = tree.consistency(old)
        assert list(proof) == subproof(old, entries, b=True)
        verify_consistency(old, mth(entries[:old]), n, mth(entries), proof)


@given(st.integers(1, 600), st.data())
def test_a_changed_inclusion_proof_fails(n, data):
    tree = tree_of(some(n))
    index = data.draw(st.integers(0, n - 1))
    proof, root, leaf = list(tree.inclusion(index)), tree.root(), tree.subtree(0, index)
    verify_inclusion(leaf, index, n, proof, root)
    wrong = [
        (leaf_hash(b"other"), index, n, proof, root),
        (leaf, index, n, [*proof, root], root),
        (leaf, index, n, proof, leaf_hash(b"other")),
        (leaf, n, n, proof, root),
        (leaf, -1, n, proof, root),
    ]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        wrong += [
            (leaf, index, n, proof[:-1], root),
            (leaf, index, n, [*proof[:at], leaf_hash(b"other"), *proof[at + 1 :]], root),
            (leaf, index ^ 1, n, proof, root),
        ]
    for arguments in wrong:
        with pytest.raises(VerificationError):
            verify_inclusion(*arguments)


@given(st.integers(1, 600), st.data())
def test_a_changed_consistency_proof_fails(n, data):
    tree = tree_of(some(n))
    old = data.draw(st.integers(1, n))
    proof, old_root, root = list(tree.consistency(old)), tree.root(old), tree.root()
    verify_consistency(old, old_root, n, root, proof)
    other = leaf_hash(b"other")
    wrong = [
        (old, other, n, root, proof),
        (old, old_root, n, other, proof),
        (old, old_root, n, root, [*proof, other]),
        (n + 1, old_root, n, root, proof),
    ]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        wrong += [
            (old, old_root, n, root, proof[:-1]),
            (old, old_root, n, root, [*proof[:at], other, *proof[at + 1 :]]),
            (old, old_root, n, root, []),
        ]
    for arguments in wrong:
        with pytest.raises(VerificationError):
            verify_consistency(*arguments)


def test_every_log_continues_the_empty_one_and_only_the_empty_one():
    root = tree_of(some(3)).root()
    verify_consistency(0, EMPTY_ROOT, 3, root, [])
    with pytest.raises(VerificationError):
        verify_consistency(0, root, 3, root, [])
    with pytest.raises(VerificationError):
        verify_consistency(0, EMPTY_ROOT, 3, root, [root])


@given(st.integers(0, 70), st.integers(0, 70))
def test_truncating_forgets_exactly_what_came_after(kept, more):
    entries = some(kept + more)
    tree = tree_of(entries)
    tree.truncate(kept)
    assert (tree.size, tree.root()) == (kept, mth(entries[:kept]))
    for entry in entries[kept:]:
        tree.append(leaf_hash(entry))
    assert tree.root() == mth(entries)


@pytest.mark.parametrize("call", [lambda t: t.inclusion(3), lambda t: t.root(4), lambda t: t.consistency(2, 1)])
def test_questions_beyond_the_tree_are_refused(call):
    with pytest.raises(UsageError):
        call(tree_of(some(3)))
