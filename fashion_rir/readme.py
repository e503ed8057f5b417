"""The README's table of results, made from the committed records of the full run.

python -m fashion_rir.readme
"""

from pathlib import Path

from fashion_rir import experiments, results
from fashion_rir.errors import RecordError
from fashion_rir.whole_files import write_text
from fashion_rir.workspace import Workspace, open_workspace

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
REAL_IMAGE_SIZE = 224  # of ResNet50 in the full run
METRICS = ("mAP", "hit_rate@1", "hit_rate@10", "precision@10")


def results_section(workspace: Workspace) -> str:
    """The Markdown between the README's markers.

    Args:
        workspace: of the full profile.

    Returns:
        A sentence on what was measured, and a table of notebook 02's experiments.

    Raises:
        RecordError: a record is missing.
    """
    names = [f"{model}-{measure}" for model, measure in experiments.baseline_runs(REAL_IMAGE_SIZE)]
    records = results.read_named(workspace.results, names)
    inputs = records[0]["inputs"]
    held_out = results.retrieval_table(
        records, protocol="held_out", label="articleType", metrics=METRICS
    )
    thesis = results.retrieval_table(
        records, protocol="thesis", label="articleType", metrics=("mAP",)
    ).set_index(["model", "measure"])["mAP"]
    lines = [
        f"All {inputs['n_products']:,} real products, {inputs['n_queries']:,} of them as queries, "
        "relevant by articleType; mean over queries, 95 % bootstrap interval in brackets. The "
        "letter is the thesis' own; its protocol leaves the query in the gallery.",
        "",
        "| thesis | model | measure | mAP, held out | hit rate@1 | hit rate@10 | precision@10 | "
        "mAP, thesis' protocol |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in held_out.to_dict("records"):
        interval = f"{row['mAP']:.3f} [{row['mAP low']:.3f}, {row['mAP high']:.3f}]"
        cells = [row["thesis"], row["model"], row["measure"], interval]
        cells += [f"{row[metric]:.3f}" for metric in METRICS[1:]]
        cells.append(f"{thesis[row['model'], row['measure']]:.3f}")
        lines.append("| " + " | ".join(cells) + " |")
    weights = sorted({row["weights"] for row in held_out.to_dict("records")} - {"none"})
    lines += ["", f"Weights: {', '.join(w for w in weights if not w.startswith('seed'))}. The "
              "ResNet50 weights are a stand-in for the Keras release (see *Weights*)."]  # fmt: skip
    return "\n".join(lines)


def refreshed(text: str, section: str) -> str:
    """The README with a new section between the markers.

    Raises:
        RecordError: the markers are not there.
    """
    if BEGIN not in text or END not in text:
        raise RecordError(f"README.md has lost its markers {BEGIN} and {END}; put them back.")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{section}\n{END}{after}"


def main(root: Path | None = None) -> None:
    """Write the section anew."""
    workspace = open_workspace("full", root)
    path = workspace.root / "README.md"
    text = refreshed(path.read_text(encoding="utf-8"), results_section(workspace))
    write_text(path, text)


if __name__ == "__main__":
    main()
