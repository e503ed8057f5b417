"""The experiments of notebook 08 on heads of several attributes: one embedding in which type,
colour, gender and usage all count. Each leaves a record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from fashion_rir.data import splits
from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import intervals, protocols
from fashion_rir.studies.names import head_name
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained.heads import AttributeRun, averaged
from fashion_rir.training import heads
from fashion_rir.training.heads import JoinShares
from fashion_rir.workspace import records as result_records

JOINED = ("articleType", "baseColour", "gender", "usage")  # what the graded nDCG looks at

# In this order, each with the best of those before: how much beside the type's share of 1.
GRID = {
    "temperature": (0.2, 0.3, 0.4, 0.5),
    "baseColour": (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2),
    "gender and usage": (0.0, 0.005, 0.01, 0.02, 0.05),
    "stored": (0.0, 0.02, 0.05, 0.1),
}

FIRST = {"temperature": 0.3, "baseColour": 0.05, "gender and usage": 0.02, "stored": 0.05}


def ensemble(runs: Sequence[AttributeRun]) -> AttributeRun:
    """Heads of several seeds as one: the posteriors of each label are averaged.

    Args:
        runs: of the same kind on the same features.

    Returns:
        As an `AttributeRun` whose record is the first head's.

    Raises:
        ParameterError: no heads, or heads of different labels, classes or products.
    """
    kinds = {tuple(run.logits) for run in runs}
    if len(kinds) != 1:
        raise ParameterError(
            f"An ensemble takes heads of the same labels, not of {len(kinds)} kinds; give the "
            "seeds of one kind of head."
        )
    first = runs[0]
    seeds = [run.metadata["seed"] for run in runs]
    logits = {
        label: heads.mean_logits([run.logits[label] for run in runs]) for label in first.logits
    }
    metadata = averaged([run.metadata for run in runs])
    name = head_name(str(metadata["run"]), str(metadata["features"]).split("+"), *seeds)
    return AttributeRun(name, logits, metadata, first.record)


def choose_shares(
    study: Study,
    run: AttributeRun,
    stored: np.ndarray,
    *,
    what: str = "joined",
    least_colour: float | None = None,
    n_queries: int = 500,
    grid: Mapping[str, Sequence[float]] = GRID,
) -> tuple[JoinShares, dict]:
    """The shares that join best, as validation products ask among training products.

    One parameter after the other, in the order of the grid, takes the best value: the one with
    the highest sum of mAP by articleType and graded nDCG@10; or, where a least precision by colour
    is asked for, the highest mAP of those that reach it. No test product has a say.

    Args:
        study: its products, split, seed and folders.
        run: the head.
        stored: the features that it was trained on, float32 (n_products, dim).
        what: what to call the joined embedding; becomes part of the record's name.
        least_colour: precision@10 by baseColour that must be reached, 0 to 1; None for the sum.
        n_queries: validation products that ask, at most.
        grid: the values to try, by the names in `FIRST`.

    Returns:
        The shares and the record (kind `choice`) with a row for every trial. One of the same
        inputs is not made again.

    Raises:
        ParameterError: there is no validation product.
    """
    parts = splits.split(study.catalog.products, seed=study.seed)
    asking = np.random.default_rng(study.seed).permutation(np.flatnonzero(parts.is_validation))
    if len(asking) == 0:
        raise ParameterError("There is no validation product to choose the shares by.")
    is_query = np.zeros(len(study.catalog), dtype=bool)
    is_query[asking[:n_queries]] = True
    inputs = result_records.describe(study.workspace, study.catalog, run.metadata) | {
        "n_queries": int(is_query.sum()),
        "grid": {name: list(values) for name, values in grid.items()},
        "first": FIRST,
        "least_colour": least_colour,
        "seed": study.seed,
    }
    name = f"choice-{run.name}-{what}"
    if (record := result_records.read_same(study.workspace.results, name, inputs)) is not None:
        return _shares(record["chosen"]), record
    rows, chosen = [], dict(FIRST)
    shown = ~parts.is_test  # the gallery: no test product has a say
    for parameter, values in grid.items():
        trials = [chosen | {parameter: value} for value in values]
        for trial in trials:
            vectors = heads.joined_embedding(
                {label: logits[shown] for label, logits in run.logits.items()},
                stored[shown], _shares(trial),
            )  # fmt: skip
            scores = _validation(vectors, study.catalog.products[shown], is_query[shown])
            rows.append({"varied": parameter, **trial, **scores})
        tried = rows[-len(trials) :]
        worth = [_worth(row, least_colour) for row in tried]
        chosen = trials[worth.index(max(worth))]
    record = result_records.make_record("choice", name, inputs, rows=rows, chosen=chosen)
    result_records.write(record, study.workspace.results)
    return _shares(chosen), record


def without(shares: JoinShares, *parts: str) -> JoinShares:
    """Shares with some parts set to 0, to see what each part gives.

    Args:
        shares: as chosen.
        parts: labels, or `stored`.

    Raises:
        ParameterError: a part that the shares do not have, or no part left.
    """
    known = {*shares.attributes, "stored"}
    unknown = sorted(set(parts) - known)
    if unknown:
        raise ParameterError(
            f"There is no share of {', '.join(unknown)}; there are {', '.join(sorted(known))}."
        )
    kept = {label: 0.0 if label in parts else share for label, share in shares.attributes.items()}
    return replace(shares, attributes=kept, stored=0.0 if "stored" in parts else shares.stored)


def _shares(chosen: Mapping[str, float]) -> JoinShares:
    others = chosen["gender and usage"]
    attributes = {"articleType": 1.0, "baseColour": chosen["baseColour"]}
    return JoinShares(attributes | {"gender": others, "usage": others}, chosen["stored"],
                      chosen["temperature"])  # fmt: skip


def _worth(scores: Mapping[str, float], least_colour: float | None) -> tuple[float, ...]:
    """What a choice maximises; see `choose_shares`."""
    if least_colour is None:
        return (scores["mAP"] + scores["nDCG@10"],)
    colour = scores["baseColour precision@10"]
    return min(colour, least_colour), scores["mAP"]  # first as far as asked for, then the mAP


def _validation(
    vectors: np.ndarray, products: pd.DataFrame, is_query: np.ndarray
) -> dict[str, float]:
    """What the choice looks at, and the colour beside it."""
    found = protocols.evaluate(
        vectors, products, is_query, measure="cosine", protocols=("held_out",)
    )["held_out"]
    return {
        "mAP": intervals.rounded(found.scores["articleType"]["mAP"].mean()),
        "nDCG@10": intervals.rounded(found.graded["nDCG@10"].mean()),
        "baseColour precision@10": intervals.rounded(
            found.scores["baseColour"]["precision@10"].mean()
        ),
    }
