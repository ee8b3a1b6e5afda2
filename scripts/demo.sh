#!/bin/sh
# The main job on a generated health carrier, command by command as a user would type it.
# The demo account has planted refusals and exceptions: those commands are expected to say so by their exit codes.
set -eu
cd "$(dirname "$0")/.."
work=build/demo
rm -rf "$work"

run() { # run <accepted exit codes> <command...>: show the command, then run it
  accepted="$1"
  shift
  echo
  echo "\$ evidence $*"
  code=0
  .venv/bin/evidence "$@" || code=$?
  case " $accepted " in
  *" $code "*) ;;
  *)
    echo "that ended with exit code $code, expected $accepted" >&2
    exit 1
    ;;
  esac
}

run 0 init "$work" --demo
run 5 -w "$work" collect
run 0 -w "$work" assess --period 2026-Q3
run 0 -w "$work" packet quarterly-hipaa --period 2026-Q3
packet="$(ls "$work"/packets/*quarterly-hipaa*.zip)"
run 0 verify "$packet" --trust "$work/trust"
echo
echo "$packet"
