"""Coverage-guided fuzzing of one parser: ``python -m tests.fuzz NAME FOLDER SECONDS``, with requirements/fuzz.txt installed.

FOLDER is written by ``tests.fuzz.vectors.write``. Ends after SECONDS with 0; with another code, and the input kept in FOLDER, when
the parser raised anything but a declared error, took over 5 seconds or over 2 GiB. ``tests/test_verify_atheris.py`` runs all.
"""

import contextlib
import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["evidence", "asn1crypto", "zipfile"]):
    from evidence.errors import EvidenceError
    from tests.fuzz.parsers import parsers


def main(name, folder, seconds):
    warnings.simplefilter("ignore")  # zipfile warns of names that stand twice; verify refuses them
    parse = parsers(folder)[name]

    def once(body):
        with contextlib.suppress(EvidenceError):
            parse(body)

    corpus = folder / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}", "-timeout=5", "-rss_limit_mb=2048", "-max_len=20000", "-print_final_stats=1", "-verbosity=0",
        f"-artifact_prefix={folder}/{name}-",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus), str(folder / "seeds" / name)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
