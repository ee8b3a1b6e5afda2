#!/bin/sh
# The main job on a generated health carrier, command by command as a user would type it.
# `sh scripts/demo.sh quarter` does the whole quarter, which takes about three times as long.
# The demo account has planted refusals and exceptions: those commands are expected to say so by their exit codes.
# In the middle of the period the carrier loosens one control and tightens another: nights are assessed as they were judged then.
set -eu
cd "$(dirname "$0")/.."
work=build/demo
case "${1:-month}" in
quarter) size=full period=2026-Q3 first=2026-07-01..2026-08-15 second=2026-08-16..2026-09-30 ;;
*) size=month period=2026-07 first=2026-07-01..2026-07-15 second=2026-07-16..2026-07-31 ;;
esac
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

run 0 init "$work" --demo --size "$size"
run "0 5" -w "$work" collect
run 0 -w "$work" check
run 0 -w "$work" assess --period "$first"
echo
echo "\$ cp $work/overlay-changed.toml $work/overlay.toml"
cp "$work/overlay-changed.toml" "$work/overlay.toml"
run 0 -w "$work" assess --period "$second"
# both at once: making a packet keeps one core busy
echo
for report in quarterly-hipaa quarterly-soc2; do
  echo "\$ evidence -w $work packet $report --period $period &"
done
.venv/bin/evidence -w "$work" packet quarterly-soc2 --period "$period" &
soc2=$!
code=0
.venv/bin/evidence -w "$work" packet quarterly-hipaa --period "$period" || code=$?
wait "$soc2" || code=$?
[ "$code" = 0 ] || {
  echo "a packet ended with exit code $code" >&2
  exit 1
}
for packet in "$work"/packets/*.zip; do
  run 0 verify "$packet" --trust "$work/trust"
done
echo
ls "$work"/packets/*.zip
