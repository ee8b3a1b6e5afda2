"""A packet's page in headless Chromium: ``python -m benchmarks.browser [EXCEPTIONS ...]``, by default 1,000 and 100,000.

*Opens*: from the address to all rows of the annex at hand. *Filters*: the longest of a word that few items have, one that none has, a severity, and
everything again, each to the next frame. Seconds of the wall on a page of plain values (``tests.fakes.many_exceptions``), beside the smallest size,
which takes its turn. Fails where the page says another number of rows than there are.
"""

import json
import shutil
import tempfile
import time
from pathlib import Path

try:
    from benchmarks import common
except ImportError:
    import common

from benchmarks.packet import CHROMIUM

DEFAULT = (1_000, 100_000)
CHOICES = ({"q": "column_99"}, {"q": "no such item"}, {"q": "", "v": "critical"}, {"v": ""})
FILTERED = """(async () => {
  let longest = 0;
  for (const choice of %s) {
    const began = performance.now();
    for (const [name, value] of Object.entries(choice)) field[name].value = value;
    apply();
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    longest = Math.max(longest, performance.now() - began);
  }
  return longest / 1000;
})()"""


def looked_at(path: Path, count: int) -> dict[str, common.Took]:
    """Open a page in a browser of its own and use its filters."""
    from tests.servers.chromium import Page

    with Page() as page:
        began = time.perf_counter()
        page.open(path)
        page.until("document.body.dataset.ready")
        opened = time.perf_counter() - began
        filtered = page.run(FILTERED % json.dumps(CHOICES))
        said = page.run("document.querySelector('#rows-table output').textContent")
        if not said.endswith(f"of {count:,}") or page.log:
            raise RuntimeError(f"{path.name} says {said!r} and {page.log}")
    return {"opens": common.Took(0, opened), "filters": common.Took(0, filtered)}


def run(sizes, rounds):
    """Return rows of seconds for each number of exceptions; none where there is no browser."""
    if not any(map(shutil.which, CHROMIUM)):
        print("browser: Chromium is not installed: apt-get install -y chromium")
        return []
    with tempfile.TemporaryDirectory(prefix="evidence-bench-") as folder:
        sizes = sorted(sizes)
        for count in sizes:
            common.apart("packet", "page", count, folder)
        found = {what: {f"{what}, {count:,}": [] for count in sizes} for what in ("opens", "filters")}
        for _ in range(rounds):
            for count in sizes:
                for what, took in looked_at(Path(folder, f"{count}.html"), count).items():
                    found[what][f"{what}, {count:,}"].append(took)
    return [
        row
        for what, runs in found.items()
        for row in common.rows_of("browser", runs, f"{what}, {sizes[0]:,}", of="wall")
    ]


if __name__ == "__main__":
    common.alone(run, DEFAULT, __doc__)
