"""Write docs/datasets.md from the contracts: ``python scripts/datasets_page.py``; a test compares the page with them."""

from itertools import groupby
from pathlib import Path

from evidence.datasets.contract import Contract
from evidence.datasets.load import load_contracts

PAGE = Path(__file__).parents[1] / "docs" / "datasets.md"
HEAD = """# Datasets

Made by `scripts/datasets_page.py` from the contracts under `evidence/datasets/`; [formats/contract.md](formats/contract.md) explains every word. *Late* is
the documented lateness in minutes; *treated* lists the columns that are not kept as they are.

A control's evidence that is not collected from a system of record has no contract: registers, attestations, review decisions and findings are
sealed as such (`register.*`, findings), and what the collector did is in the receipts.
"""


def page() -> str:
    """Return the page's text."""
    contracts = load_contracts().values()
    parts = [HEAD]
    for product, group in groupby(contracts, key=lambda contract: contract.name.partition(".")[0]):
        rows = [_row(contract) for contract in group]
        parts.append(
            f"\n## {product} ({len(rows)})\n\n| dataset | kind | reads | late | edition | role | columns | treated |\n"
        )
        parts.append("|---|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


def _row(contract: Contract) -> str:
    treated = [f"{c.landed}: {c.treatment}" for c in contract.columns if c.treatment != "keep"]
    reads = contract.object.removeprefix("SNOWFLAKE.").replace("|", "\\|")
    cells = [
        f"`{contract.name}`",
        contract.kind,
        reads,
        str(contract.latency_minutes or ""),
        contract.edition if contract.edition != "standard" else "",
        ", ".join(contract.roles),
        str(len(contract.columns)),
        ", ".join(treated),
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page())
