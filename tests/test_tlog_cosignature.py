"""Co-signatures of witnesses: the C2SP spelling, and everything else refused."""

import base64
import datetime as dt
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fakes.sealed_store import KEY

from evidence.errors import MalformedError, VerificationError
from evidence.tlog import cosignature, note
from evidence.tlog.checkpoint import Checkpoint, open_checkpoint

SECRET = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
WITNESS = cosignature.Cosigner("witness.example/w1", SECRET.public_key().public_bytes_raw())
SIGNED = Checkpoint(KEY.name, 3, bytes(range(32))).sign(KEY)
MOMENT = 1_782_950_400  # 2026-07-02T00:00:00Z
# tlog-cosignature's own example: a checkpoint with a log's and a witness's line.
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def line(*, moment=MOMENT, text=None, key=SECRET, name=WITNESS.name, key_id=WITNESS.key_id):
    text = SIGNED.rpartition("\n\n")[0] + "\n" if text is None else text
    signature = key.sign(f"cosignature/v1\ntime {moment}\n{text}".encode())
    return f"— {name} {base64.b64encode(key_id + moment.to_bytes(8, 'big') + signature).decode()}\n"


def test_a_cosignature_proves_its_moment_and_leaves_the_log_s_own_line_as_it_is():
    cosigned = cosignature.with_cosignature(SIGNED, line(), WITNESS)
    assert cosigned == SIGNED + line()
    assert cosignature.cosigned_at(cosigned, WITNESS) == dt.datetime(2026, 7, 2, tzinfo=dt.UTC)
    assert open_checkpoint(cosigned, [note.Verifier(KEY.name, KEY.public_key)]).size == 3


def test_the_specification_s_example_is_read_as_it_says():
    parsed = note.parse_note(EXAMPLE)
    assert [each.name for each in parsed.signatures] == ["example.com/behind-the-sofa", "witness.example.com/w1"]
    assert int.from_bytes(parsed.signatures[1].signature[:8], "big") == 1_679_315_147
    assert len(parsed.signatures[1].signature) == 8 + 64


def test_lines_of_other_keys_are_dropped_and_none_of_ours_is_an_error():
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    foreign = line(key=other, name="witness.example/w2", key_id=b"\1\2\3\4")
    assert cosignature.with_cosignature(SIGNED, foreign + line(), WITNESS) == SIGNED + line()
    with pytest.raises(VerificationError, match="no co-signature"):
        cosignature.with_cosignature(SIGNED, foreign, WITNESS)
    with pytest.raises(VerificationError, match="no co-signature"):
        cosignature.cosigned_at(SIGNED, WITNESS)


@pytest.mark.parametrize(
    "wrong",
    [
        line(key=Ed25519PrivateKey.from_private_bytes(b"o" * 32)),
        line(text="acme.example/evidence\n4\n" + base64.b64encode(bytes(32)).decode() + "\n"),
        line(moment=2**63),
        line(moment=300_000_000_000),
        f"— {WITNESS.name} {base64.b64encode(WITNESS.key_id + b'short').decode()}\n",
        line() + line(moment=MOMENT + 1)[:-20] + "AAAAAAAAAAAAAAAA==\n",
        "",
        "200 OK\n",
        line().rstrip("\n"),
        line() * 17,
    ],
)
def test_a_wrong_line_is_never_kept(wrong):
    with pytest.raises((VerificationError, MalformedError)):
        cosignature.with_cosignature(SIGNED, wrong, WITNESS)


def test_a_moment_that_was_changed_is_wrong():
    packed = base64.b64decode(line().split(" ")[2])
    moved = packed[:4] + (MOMENT + 1).to_bytes(8, "big") + packed[12:]
    with pytest.raises(VerificationError, match="wrong"):
        cosignature.cosigned_at(SIGNED + f"— {WITNESS.name} {base64.b64encode(moved).decode()}\n", WITNESS)


def test_a_witness_key_has_one_spelling_and_is_no_log_s_key():
    text = WITNESS.to_text()
    assert cosignature.parse_cosigner(text) == WITNESS
    assert WITNESS.key_id == hashlib.sha256(b"witness.example/w1\n\x04" + WITNESS.public_key).digest()[:4]
    assert cosignature.is_cosigner(text)
    assert not cosignature.is_cosigner(KEY.vkey)
    assert not cosignature.is_cosigner("nothing")
    for wrong in (
        KEY.vkey,
        text + "\n",
        text.upper(),
        text[:-4],
        text.replace("+B", "+A"),
        "a+b",
        "",
        text.replace(".", "+"),
    ):
        with pytest.raises(MalformedError):
            cosignature.parse_cosigner(wrong)
    with pytest.raises(MalformedError):
        note.parse_verifier(text)
