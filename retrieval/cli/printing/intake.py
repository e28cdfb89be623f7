"""How a look at photos before they are enrolled looks on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.table import Table

from retrieval.cli.printing.terminal import out, print_json, print_table
from retrieval.pipeline import Foreseen


def print_foreseen(found: Sequence[Foreseen], as_json: bool) -> None:
    """One line a photo: what would become of it, with the date and side that were found, and why."""
    if as_json:
        for one in found:
            print_json(_record(one))
        return
    table = Table(box=None, padding=(0, 2))
    for column in ("outcome", "turtle", "side", "taken on", "size", "photo", "why"):
        table.add_column(column, overflow="fold")
    for one in found:
        record = _record(one)
        size = "" if one.size is None else f"{one.size[0]} x {one.size[1]}"
        known = [str(record[name] or "") for name in ("turtle", "side", "taken_on")]
        table.add_row(str(one.outcome), *known, size, one.path, one.reason)
    print_table(table)
    counts = Counter(one.outcome for one in found)
    out.print(", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items())), markup=False)


def _record(one: Foreseen) -> dict[str, object]:
    seen = one.seen
    return {
        "photo": one.path,
        "outcome": str(one.outcome),
        "turtle": None if seen is None else seen.turtle,
        "side": None if seen is None or seen.side is None else str(seen.side),
        "taken_on": None if seen is None or seen.taken_on is None else seen.taken_on.isoformat(),
        "size": None if one.size is None else list(one.size),
        "reason": one.reason or None,
    }
