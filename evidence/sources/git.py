"""What git says of contracts: by the ``git`` command, bounded in time, in a closed environment, without network.

A repository may configure programs that git runs (monitors, hooks, filters, helpers of transports) and objects that stand in for
others; all of it is switched off here. Files are read as objects of a commit, so that a working tree cannot differ from it.
"""

import datetime as dt
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import SourceUnavailableError

TIMEOUT_SECONDS = 20
_ENVIRONMENT = {
    "PATH": os.defpath,
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_NO_REPLACE_OBJECTS": "1",  # refs/replace could show another history than the one that was reviewed
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",  # a partial clone must not fetch what it lacks
}
_SWITCHES = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "log.showSignature=false", "core.quotePath=false")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}\Z")
_LOG_FORMAT = "--format=%x01%H%x1f%ct%x1f%at%x1f%ae%x1f"
_MARK, _SEPARATOR = "\x01", "\x1f"


@dataclass(frozen=True, slots=True)
class Checkout:
    """``commit`` is empty where it cannot be told; ``changed`` are paths relative to the folder."""

    commit: str
    changed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit. Both times are what the committer's machine said: git proves order, not time."""

    sha: str
    committed_at: dt.datetime
    authored_at: dt.datetime
    author: str


@dataclass(frozen=True, slots=True)
class Blob:
    """One entry of a commit's tree, its path relative to the folder that was asked for."""

    path: str
    mode: str
    oid: str
    size: int


class GitError(Exception):
    """Git did not answer. The message is ours: git's own may name paths."""


def checkout(folder: Path) -> Checkout:
    """Return the commit that ``folder`` stands at; an empty one if it is no checkout or git does not answer."""
    try:
        commit = _text(folder, "rev-parse", "--verify", "HEAD").strip()
        prefix = _text(folder, "rev-parse", "--show-prefix").rstrip("\n")
        if not _COMMIT.match(commit):
            return Checkout("", frozenset())
        # Ignored files are no part of the commit either.
        listed = _text(folder, "status", "--porcelain=v1", "-z", "--no-renames", "--ignored", "-uall", "--", ".")
    except GitError:
        return Checkout("", frozenset())
    paths = (item[3:] for item in listed.split("\0") if len(item) > 3)
    return Checkout(commit, frozenset(path.removeprefix(prefix) for path in paths))


def last_changes(folder: Path, commit: str) -> Mapping[str, Commit]:
    """Return, for each path relative to ``folder``, the commit that last changed it; nothing where git does not answer."""
    try:
        return _last_changes(folder, commit, ".", "--relative")
    except GitError:
        return {}


class Branch:
    """One branch of a repository, bare or not; ``folder`` is where the contracts lie in it. Nothing is fetched."""

    def __init__(self, repository: Path, name: str, folder: str) -> None:
        self._repository, self._name = repository, name
        self._folder = folder.strip("/")

    def commits(self) -> list[Commit]:
        """Return the first-parent commits of the branch, newest first. Raises ``SourceUnavailableError``."""
        tip = self._tip()
        if self._git("rev-parse", "--is-shallow-repository").strip() == "true":
            raise SourceUnavailableError(
                f"{self._repository.name}: a shallow clone, its history is cut",
                fix="fetch the whole history: git fetch --unshallow",
            )
        return [commit for commit, _ in _logged(self._git("log", "--first-parent", "-z", _LOG_FORMAT, tip))]

    def files(self, commit: Commit) -> list[Blob]:
        """Return what the folder holds at ``commit``."""
        where = ("--", f"{self._folder}/") if self._folder else ()
        listed = self._git("ls-tree", "-r", "-z", "--long", "--full-tree", commit.sha, *where)
        return [self._blob(entry) for entry in listed.split("\0") if entry]

    def body(self, blob: Blob) -> bytes:
        """Return the bytes of one file. Raises ``ValueError`` if the clone does not hold them."""
        try:
            return _run(self._repository, ("cat-file", "blob", blob.oid))
        except GitError:
            raise ValueError("the clone does not hold this file") from None

    def last_changes(self, commit: Commit) -> Mapping[str, Commit]:
        """Return the commit that last changed each path."""
        try:
            found = _last_changes(self._repository, commit.sha, self._folder or ".")
        except GitError:
            return {}
        return {self._below(path): change for path, change in found.items()}

    def _tip(self) -> str:
        if not _BRANCH.match(self._name) or ".." in self._name:
            raise SourceUnavailableError("branch: not a branch name", fix="name a branch, such as main or origin/main")
        for kind in ("refs/heads/", "refs/remotes/"):
            try:
                return _text(
                    self._repository, "rev-parse", "--verify", "--quiet", f"{kind}{self._name}^{{commit}}"
                ).strip()
            except GitError:
                continue
        raise SourceUnavailableError(
            f"{self._repository.name}: no branch {self._name}, or git does not answer for this folder",
            fix="check path and branch; the folder must belong to the user that collects",
        )

    def _git(self, *words: str) -> str:
        try:
            return _text(self._repository, *words)
        except GitError as exc:
            raise SourceUnavailableError(
                f"{self._repository.name}: git {words[0]}: {exc}", fix="check that the clone is whole: git fsck"
            ) from None

    def _blob(self, entry: str) -> Blob:
        facts, _, path = entry.partition("\t")
        mode, _, oid, size = facts.split()
        return Blob(self._below(path), mode, oid, int(size) if size.isdecimal() else 0)

    def _below(self, path: str) -> str:
        return path.removeprefix(f"{self._folder}/") if self._folder else path


def current(commits: Sequence[Commit], moment: dt.datetime) -> Commit | None:
    """Return the commit that the branch stood at at ``moment``, by the commits' own times; ``None`` before the first."""
    return next((commit for commit in commits if commit.committed_at <= moment), None)


def _last_changes(folder: Path, commit: str, where: str, *more: str) -> Mapping[str, Commit]:
    words = (
        "log",
        "--first-parent",
        "-m",
        "--no-renames",
        "--name-only",
        "-z",
        _LOG_FORMAT,
        *more,
        commit,
        "--",
        where,
    )
    found: dict[str, Commit] = {}
    for change, paths in _logged(_text(folder, *words)):
        for path in paths:
            found.setdefault(path, change)
    return found


def _logged(text: str) -> Iterator[tuple[Commit, list[str]]]:
    for record in text.split(_MARK)[1:]:
        sha, committed, authored, author, rest = record.split(_SEPARATOR, 4)
        paths = [path for path in rest.lstrip("\0\n").split("\0") if path]
        yield Commit(sha, _moment(committed), _moment(authored), author), paths


def _moment(seconds: str) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=int(seconds))


def _text(folder: Path, *words: str) -> str:
    return _run(folder, words).decode("utf-8", "surrogateescape")


def _run(folder: Path, words: Sequence[str]) -> bytes:
    """Run git. Raises ``GitError`` if it fails, takes too long, or is not there."""
    switches = [part for switch in _SWITCHES for part in ("-c", switch)]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words and checked names, no shell
            ["git", "--no-pager", "-C", str(folder), *switches, *words],  # noqa: S607 - found on the system's own path
            capture_output=True,
            check=True,
            timeout=TIMEOUT_SECONDS,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise GitError(f"no answer within {TIMEOUT_SECONDS} s") from None
    except subprocess.CalledProcessError as exc:
        raise GitError(f"it ended with status {exc.returncode}") from None
    except OSError as exc:
        raise GitError(f"cannot be run: {exc.strerror}") from None
    return done.stdout
