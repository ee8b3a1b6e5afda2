#!/bin/sh
# Makes .venv from hashed requirements and installs what the system lacks: `bootstrap.sh demo`, `test` or `test-all`.
# Further words are environments of test servers, made beside it: `bootstrap.sh test emulator localstack`. Tests make for
# themselves what is not there, but on a slow machine an installation is longer than a test may take. MEANWHILE is a
# command that needs .venv alone and runs while they are made.
# Packages are installed with apt or brew where this user may (root, or sudo without a password); otherwise the one
# line to type is printed and the script stops.
set -eu
cd "$(dirname "$0")/.."
purpose="${1:-demo}"
[ $# = 0 ] || shift

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }
}

find_python() {
  for name in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
    [ -n "$name" ] || continue
    if command -v "$name" >/dev/null 2>&1 &&
      "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return 0
    fi
  done
  return 1
}

has_library() { # WeasyPrint loads these by name through the dynamic linker
  "$python" -c 'import ctypes.util, sys; sys.exit(ctypes.util.find_library(sys.argv[1]) is None)' "$1" 2>/dev/null
}

python="$(find_python)" || { echo "Python 3.11 or newer is needed: install it, or set PYTHON=/path/to/python3.11" >&2; exit 1; }

apt_missing=""
brew_missing=""
need() { # need <apt package> <brew package>
  apt_missing="$apt_missing $1"
  brew_missing="$brew_missing $2"
}
has_library pango-1.0 || need libpango-1.0-0 pango
has_library pangoft2-1.0 || need libpangoft2-1.0-0 pango
has_library harfbuzz-subset || need libharfbuzz-subset0 harfbuzz
"$python" -c 'import ensurepip, venv' 2>/dev/null || need "$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')" python
case "$purpose" in
test | test-all)
  command -v pdfsig >/dev/null 2>&1 || need poppler-utils poppler
  command -v qpdf >/dev/null 2>&1 || need qpdf qpdf
  command -v openssl >/dev/null 2>&1 || need openssl openssl
  command -v softhsm2-util >/dev/null 2>&1 || need softhsm2 softhsm
  [ "$purpose" = test ] || command -v chromium >/dev/null 2>&1 || need chromium chromium
  if [ "$purpose" = test-all ] && command -v apt-get >/dev/null 2>&1; then # the second S3; Debian and Ubuntu only
    for name in radosgw ceph-mon ceph-osd; do
      command -v "$name" >/dev/null 2>&1 || apt_missing="$apt_missing $name"
    done
  fi
  ;;
esac

if [ -n "$apt_missing" ]; then
  if command -v apt-get >/dev/null 2>&1; then
    line="apt-get install -y --no-install-recommends$apt_missing"
    if may_install; then
      echo "installing system packages:$apt_missing"
      as_root apt-get update -qq
      as_root env DEBIAN_FRONTEND=noninteractive $line -qq >/dev/null
    else
      echo "system packages are missing; type:  sudo apt-get update && sudo $line" >&2
      exit 1
    fi
  elif command -v brew >/dev/null 2>&1; then
    echo "installing:$brew_missing"
    # shellcheck disable=SC2086  # a list of package names
    brew install $brew_missing
  else
    echo "install the equivalents of these Debian packages, then try again:$apt_missing" >&2
    exit 1
  fi
fi

servers=""
if [ $# != 0 ]; then
  "$python" -m tests.servers.venvs "$@" >/dev/null &
  servers=$!
fi

# The demo needs what the product needs; the tests more. A stamp says for which requirements .venv was made.
if [ "$purpose" = demo ] && [ ! -f .venv/.made-for-test ]; then set_of=run; else set_of=dev; fi
wanted="$set_of $(cat "requirements/$set_of.txt" pyproject.toml | cksum)"
if [ "$(cat .venv/.requirements 2>/dev/null || true)" != "$wanted" ]; then
  echo "installing Python packages into .venv (about a minute)"
  .venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
  pip=".venv/bin/python -m pip --disable-pip-version-check --quiet"
  $pip install --require-hashes -r "requirements/$set_of.txt"
  $pip install --no-deps --no-build-isolation -e .
  [ "$set_of" = run ] || : > .venv/.made-for-test
  echo "$wanted" > .venv/.requirements
fi
ended=0
# shellcheck disable=SC2086  # a command with its words
${MEANWHILE:-true} || ended=$?
[ -z "$servers" ] || wait "$servers"
exit "$ended"
