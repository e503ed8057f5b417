"""The experiments of notebook 08 on heads of several attributes: one embedding in which type,
colour, gender and usage all count. Each leaves a record.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.evaluation import intervals, protocols
from fashion_rir.studies.names import JOINS
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained.heads import HeadRun
from fashion_rir.training import heads
from fashion_rir.training.heads import JoinShares

# In this order, each with the best of those before: how much beside the type's share of 1.
GRID = {
    "temperature": (0.2, 0.3, 0.4, 0.5),
    "baseColour": (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2),
    "gender and usage": (0.0, 0.005, 0.01, 0.02, 0.05),
    "stored": (0.0, 0.02, 0.05, 0.1),
}

FIRST = {"temperature": 0.3, "baseColour": 0.05, "gender and usage": 0.02, "stored": 0.05}


def choose_shares(
    study: Study, run: HeadRun, stored: np.ndarray, *, what: str = "joined", n_queries: int = 500
) -> tuple[JoinShares, dict]:
    """The shares that join best, as validation products ask among training products.

    One parameter of `GRID` after the other takes the value with the highest sum of mAP by type and
    graded nDCG@10; or, where `names.JOINS` has a least precision@10 by colour, the highest mAP of
    those that reach it. No test product has a say.

    Args:
        study: its products, split, seed and folders.
        run: the head.
        stored: the features that it was trained on, float32 (n_products, dim).
        what: key in `names.JOINS`; becomes part of the record's name.
        n_queries: validation products that ask, at most.

    Returns:
        The shares and the record (kind `choice`) with a row for every trial.

    Raises:
        ParameterError: unknown join, or there is no validation product.
    """
    if what not in JOINS:
        raise unknown_name("join", what, JOINS)
    parts = study.parts
    asking = np.random.default_rng(study.seed).permutation(np.flatnonzero(parts.is_validation))
    if len(asking) == 0:
        raise ParameterError("There is no validation product to choose the shares by.")
    is_query = np.isin(np.arange(len(study.catalog)), asking[:n_queries])
    inputs = study.describe(run.metadata) | {
        "n_queries": int(is_query.sum()),
        "grid": {name: list(values) for name, values in GRID.items()},
        "first": FIRST,
        "least_colour": JOINS[what],
        "seed": study.seed,
    }
    shown = ~parts.is_test  # the gallery: no test product has a say
    logits = {label: values[shown] for label, values in run.logits.items()}

    def score(trial: Mapping[str, float]) -> dict[str, float]:
        vectors = heads.joined_embedding(logits, stored[shown], _shares(trial))
        return _validation(vectors, study.catalog.products[shown], is_query[shown])

    record = study.record("choice", f"choice-{run.name}-{what}", inputs,
                          lambda: _tried(score, JOINS[what]))  # fmt: skip
    return _shares(record["chosen"]), record


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


def _tried(
    score: Callable[[Mapping[str, float]], dict[str, float]], least_colour: float | None
) -> dict[str, object]:
    """The content of the record of `choose_shares`."""
    rows, chosen = [], dict(FIRST)
    for parameter, values in GRID.items():
        trials = [chosen | {parameter: value} for value in values]
        tried = [{"varied": parameter, **trial, **score(trial)} for trial in trials]
        worth = [_worth(row, least_colour) for row in tried]
        chosen = trials[worth.index(max(worth))]
        rows += tried
    return {"rows": rows, "chosen": chosen}


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
