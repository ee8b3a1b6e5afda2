"""A stranger with the README alone: installs by pipx what the source distribution makes, then types its blocks, line by line, in an empty folder.

Nothing is run that the README does not say, but for what it leaves to others: the system packages (their names are compared with
``scripts/bootstrap.sh``), an administrator who runs the printed SQL and policies, and where account and bucket answer.
"""

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from evidence.demo import Size, generate
from tests.servers.emulated import run_emulator

pytest_plugins = ["tests.servers.fixtures"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
ROOT = Path(__file__).parent.parent
FENCE = "```"
SEALED_AS_SUCH = {5, 6}  # of `collect`: something was refused or incomplete; the README says so
AWS = """#!{python}
import sys, boto3
words = sys.argv[1:]
assert words[:3] == ["s3api", "create-bucket", "--bucket"] and "--object-lock-enabled-for-bucket" in words
boto3.client("s3", region_name=words[words.index("--region") + 1]).create_bucket(Bucket=words[3], ObjectLockEnabledForBucket=True)
"""


def blocks(heading):
    """The fenced blocks under a heading of the README, each as its lines."""
    text = (ROOT / "README.md").read_text()
    (part,) = re.findall(rf"(?ms)^## {heading}\n(.*?)^## ", text)
    return [block.strip().splitlines() for block in part.split(FENCE)[1::2]]


def small(start):
    return Size(nights=3, users=60, roles=50, tables=160, columns=600, queries=120, start=start)


def exports(folder, start):
    """What a user brings: exports of views, and nothing else of the demo."""
    generate(folder / "made", small(start))
    shutil.move(folder / "made" / "exports", folder / "exports")
    shutil.rmtree(folder / "made")
    for other in ("dbt", "contracts"):  # sources of their own
        shutil.rmtree(folder / "exports" / other)
    return folder / "exports"


class Shell:
    """One user's shell: a home of their own, system paths, and where pipx put the command."""

    def __init__(self, home):
        self.home, self.tools = home, home / "tools"
        self.tools.mkdir(parents=True)
        kept = {
            k: v for k, v in os.environ.items() if k.startswith("PIP_") or k in {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
        }
        path = f"{home}/.local/bin:{self.tools}:/usr/local/bin:/usr/bin:/bin"
        self.environment = kept | {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", "TMPDIR": str(home)}

    def type(self, lines, folder):
        """Run the lines in one shell; return [(line, exit code, what it printed)]."""
        script = "".join(f"{line}\n_code=$?; printf '\\n@@ %s %s\\n' {n} $_code\n" for n, line in enumerate(lines))
        done = subprocess.run(
            ["sh", "-c", script], cwd=folder, env=self.environment, text=True, timeout=900, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        said = re.split(r"\n@@ (\d+) (\d+)\n", done.stdout)
        assert len(said) == 3 * len(lines) + 1, done.stdout
        found = [(line, int(said[3 * n + 2]), said[3 * n]) for n, line in enumerate(lines)]
        for line, code, printed in found:
            assert "Traceback" not in printed, f"{line}\n{printed}"
            accepted = {0} | (SEALED_AS_SUCH if " collect" in line else set())
            assert code in accepted, f"{line} ended with {code}\n{printed}"
        return found


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The source distribution, and the wheel of the checkout beside it."""
    folder = tmp_path_factory.mktemp("built")
    for kind in ("--sdist", "--wheel"):
        command = [sys.executable, "-m", "build", kind, "--no-isolation", "--outdir", folder, ROOT]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def sdist(built):
    """The source distribution, unpacked: what a user has who downloads it."""
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(built, filter="data")
    return built / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def shell(tmp_path_factory, sdist):
    """A shell in which the README's installation was typed."""
    made = Shell(tmp_path_factory.mktemp("home"))
    venv = tmp_path_factory.mktemp("pipx")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=300)
    done = subprocess.run(
        [venv / "bin/python", "-m", "pip", "install", "--quiet", "pipx"],
        env=made.environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"pip cannot reach an index: {done.stderr.strip().splitlines()[-1:]}")
    (made.tools / "pipx").symlink_to(venv / "bin" / "pipx")
    _, lines = blocks("Install")
    made.type(lines, sdist)
    assert (made.home / ".local/bin/evidence").exists()
    return made


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: info.CRC for info in archive.infolist()}


def verified(typed):
    line, _, printed = typed[-1]
    assert line.startswith("evidence verify")
    assert re.search(r"verified: \d+ checks proved, 0 failed", printed), printed


def test_the_packages_named_are_those_the_bootstrap_installs():
    (line,), _ = blocks("Install")
    needed = re.findall(r"(?m)^has_library \S+ \|\| need (\S+) (\S+)", (ROOT / "scripts/bootstrap.sh").read_text())
    assert len(needed) == 3
    debian, mac = line.split("#")
    assert set(debian.split()) == {"sudo", "apt-get", "install", "-y", "pipx", *(apt for apt, _ in needed)}
    assert set(mac.split()) == {"macOS:", "brew", "install", "pipx", *(brew for _, brew in needed)}


def test_the_source_distribution_makes_the_wheel_of_the_checkout(built, sdist, shell):
    (ours,), (theirs,) = built.glob("*.whl"), (sdist / "dist").glob("*.whl")
    assert contents(theirs) == contents(ours)
    assert (sdist / "scripts" / "bootstrap.sh").is_file(), "the Makefile calls it"


def test_a_first_packet_from_exports(shell, tmp_path):
    exports(tmp_path, dt.date(2026, 7, 1))
    typed = shell.type(blocks("First packet")[0], tmp_path)
    verified(typed)
    (assessed,) = [printed for line, _, printed in typed if " assess " in line]
    assert re.search(r"(?m) satisfied +3 ", assessed)
    assert re.search(r"(?m) not-satisfied +3 ", assessed)


def test_a_first_packet_from_an_account_into_a_bucket(shell, tmp_path, s3_server, client):
    _, first, then = blocks("First packet")
    stub = shell.tools / "aws"
    stub.write_text(AWS.format(python=sys.executable))
    stub.chmod(0o755)
    shell.environment |= {
        "AWS_ENDPOINT_URL_S3": s3_server.url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    now = dt.datetime.now(dt.UTC)
    night = now.date() - dt.timedelta(days=1)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    data = exports(folder, night - dt.timedelta(days=2))
    empty = tmp_path / "empty"
    empty.mkdir()
    typed = shell.type(
        [line.replace("ACME-PROD", "TESTACCT") for line in first], empty
    )  # the account that answers here
    with run_emulator(data) as emulator:
        answers = f'host = "127.0.0.1"\nport = {emulator.port}\nprotocol = "http"\n'
        administered(emulator, (empty / "setup.sql").read_text(), typed[3][2])
        emulator.post("night", {"night": str(night), "clock": dt.datetime.now(dt.UTC).isoformat()})
        bucket = json.loads((empty / "setup.json").read_text())["store_bucket_policy"]
        client.put_bucket_policy(Bucket="acme-evidence", Policy=json.dumps(bucket))
        with (empty / "work/evidence.toml").open("a") as file:
            file.write(answers)
        typed = shell.type(then, empty)
    verified(typed)
    (collected,) = [printed for line, _, printed in typed if " collect" in line]
    assert re.search(r"(?m)^carrier +\d\d", collected), collected


def administered(emulator, script, public):
    """Do what an administrator does: create the user with its key, and run the grants of the script."""
    (user,) = re.findall(r"(?m)^CREATE USER IF NOT EXISTS (\w+) TYPE = SERVICE", script)
    emulator.post("people", {"user": user, "public_keys": [public.strip() + "\n"]})
    grants = {}
    for kind, name, role in re.findall(
        r"(?m)^GRANT (DATABASE ROLE|APPLICATION ROLE|USAGE ON WAREHOUSE) (\S+) TO ROLE (\w+);", script
    ):
        on = kind.removeprefix("USAGE ON ").replace(" ", "_")
        grants.setdefault(role, []).append(["USAGE", on, name])
    emulator.post("account", {"grants": grants})
