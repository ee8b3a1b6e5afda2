#!/bin/sh
# The main job on a generated health carrier, command by command as a user would type it.
# `sh scripts/demo.sh month` does a month and `… quarter` the whole quarter; without a word it is one week.
# The demo account has planted refusals and exceptions: those commands are expected to say so by their exit codes.
# In the middle of the period the carrier loosens one control and tightens another: nights are assessed as they were judged then.
set -eu
cd "$(dirname "$0")/.."
work=build/demo
case "${1:-week}" in
quarter) size=full period=2026-Q3 first=2026-07-01..2026-08-15 second=2026-08-16..2026-09-30 ;;
month) size=month period=2026-07 first=2026-07-01..2026-07-15 second=2026-07-16..2026-07-31 ;;
week) size=week period=2026-07-01..2026-07-07 first=2026-07-01..2026-07-03 second=2026-07-04..2026-07-07 ;;
*)
  echo "week, month or quarter" >&2
  exit 2
  ;;
esac
rm -rf "$work"

said() { # said <exit code> <accepted codes>
  case " $2 " in
  *" $1 "*) ;;
  *)
    echo "that ended with exit code $1, expected $2" >&2
    exit 1
    ;;
  esac
}

run() { # run <accepted exit codes> <command...>: show the command, then run it
  accepted="$1"
  shift
  echo
  echo "\$ evidence $*"
  code=0
  .venv/bin/evidence "$@" || code=$?
  said "$code" "$accepted"
}

both() { # both <command... with @> <one> <other>: show and run it for each of two, at once: each keeps one core busy
  template="$1"
  echo
  for each in "$2" "$3"; do
    echo "\$ evidence $template &" | sed "s|@|$each|"
  done
  # shellcheck disable=SC2046 # words of ours without spaces
  .venv/bin/evidence $(echo "$template" | sed "s|@|$2|") &
  beside=$!
  code=0
  # shellcheck disable=SC2046
  .venv/bin/evidence $(echo "$template" | sed "s|@|$3|") || code=$?
  other=0
  wait "$beside" || other=$?
  said "$code" 0
  said "$other" 0
}

run 0 init "$work" --demo --size "$size"
run "0 5" -w "$work" collect
run 0 -w "$work" check
run 0 -w "$work" assess --period "$first"
echo
echo "\$ cp $work/overlay-changed.toml $work/overlay.toml"
cp "$work/overlay-changed.toml" "$work/overlay.toml"
run 0 -w "$work" assess --period "$second"
both "-w $work packet @ --period $period" quarterly-soc2 quarterly-hipaa
both "verify @ --trust $work/trust" "$work"/packets/*.zip
echo
ls "$work"/packets/*.zip
