"""Parameters chosen by validation products that ask among training products, each as a record.

No test product has a say in them.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from fashion_rir.data.catalog import Catalog
from fashion_rir.data.splits import ASKED_PROTOCOLS, Asking
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import intervals
from fashion_rir.studies import scoring
from fashion_rir.studies.study import Study


def choose(
    study: Study,
    metadata: Mapping[str, object],
    asking: Asking,
    grid: Sequence[Mapping[str, float]],
    score: Callable[..., float],
    **inputs: object,
) -> dict:
    """The parameters with the best validation mAP, as a record.

    Args:
        study: its products, split, seed and folders.
        metadata: of the model that is to be made; its name becomes the record's.
        asking: who asks.
        grid: the parameters to choose from.
        score: from parameters to the validation mAP.
        inputs: what else the scores depend on.

    Returns:
        A record of kind `choice` with `rows` (the grid and its `validation mAP`) and `chosen`. One
        of the same inputs is not made again.

    Raises:
        ParameterError: an empty grid.
    """
    if len(grid) == 0:
        raise ParameterError(f"There is nothing to choose for {metadata['model']}; give a grid.")
    parts = asking.parts
    inputs = {
        **study.describe(metadata),
        "n_fit": int(parts.is_fit.sum()),
        "n_queries": len(asking.validation_queries(type_codes(study.catalog))),
        "grid": [dict(parameters) for parameters in grid],
        "seed": asking.seed,
        **inputs,
    }

    def tried() -> dict[str, object]:
        rows = [{**some, "validation mAP": intervals.rounded(score(**some))} for some in grid]
        best = max(range(len(rows)), key=lambda row: rows[row]["validation mAP"])
        return {"rows": rows, "chosen": dict(grid[best])}

    return study.record("choice", f"choice-{metadata['model']}", inputs, tried)


def score(study: Study, model: Embedded, asking: Asking) -> Embedded:
    """Score embeddings as `asking` says; gives them back.

    Args:
        study: its products, split, seed and folders.
        model: embeddings and metadata.
        asking: its test products ask, all of them.
    """
    scoring.retrieval(
        study, model, asking.parts.is_test, measure="cosine", protocols=ASKED_PROTOCOLS
    )
    return model


def type_codes(catalog: Catalog) -> np.ndarray:
    """The articleTypes as integers, -1 where missing; shape (n_products,)."""
    return pd.factorize(catalog.products["articleType"], sort=True)[0]
