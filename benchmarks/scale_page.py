"""The tables of docs/scale.md, made from the committed records of the full run.

python benchmarks/scale_page.py
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import scale

from fashion_rir.reporting import readme
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace, open_workspace

PAGE = Path("docs") / "scale.md"

BUSY = 0.5  # processes that wanted a core before the run, on average over a minute


def section(workspace: Workspace) -> str:
    """The Markdown between the page's markers.

    Args:
        workspace: of the full profile.

    Raises:
        RecordError: a record is missing.
    """
    curve, half = result_records.read_named(workspace.results, (scale.RECORD, scale.FLOAT16_RECORD))
    timings = curve["timings"]
    measured = scale.curve_table(curve)
    return "\n".join([
        f"Vectors made from the embeddings of {curve['inputs']['model']}, "
        f"{curve['inputs']['dim']} numbers, k = {curve['inputs']['k']}, "
        f"{curve['inputs']['n_queries']} queries. Times are by the clock, of one run on "
        f"{timings['cores']} cores, each query on one core. {_others(timings)}",
        "",
        _markdown(measured),
        "",
        "*times exact search* is the time to read all vectors once from memory, the limit of any "
        "exact search, over the time of this query. On paper from there, 16 cells a shard:",
        "",
        _markdown(scale.paper_table(curve)),
        "",
        f"Storing float16: mAP by articleType of {half['inputs']['n_queries']:,} test products "
        f"over {half['inputs']['n_products']:,} products by {half['inputs']['model']} is "
        f"{half['mAP']['float32']:.6f} with float32 and {half['mAP']['float16']:.6f} with float16.",
    ])  # fmt: skip


def main(root: Path | None = None) -> None:
    """Write the section anew."""
    workspace = open_workspace("full", root)
    path = workspace.root / PAGE
    text = readme.refreshed(path.read_text(encoding="utf-8"), section(workspace))
    path.write_text(text, encoding="utf-8", newline="\n")


def _others(timings: Mapping) -> str:
    load = f"(load before it: {timings['load_before']:.1f})"
    if timings["load_before"] > BUSY:
        return f"Others used them too {load}, so only large ratios tell anything."
    return f"The machine was quiet {load}."


def _markdown(table: pd.DataFrame) -> str:
    """A table with three digits that count."""

    def cell(value: object) -> str:
        return f"{value:,.3g}" if isinstance(value, float) else f"{value:,}"

    rows = [table.columns, ["---"] * len(table.columns)]
    rows += [[cell(value) for value in row] for row in table.astype(object).to_numpy()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    main()
