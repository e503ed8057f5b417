"""Parameters chosen by validation products that ask among training products, each as a record.

No test product has a say in them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion_rir import experiments, results
from fashion_rir.catalog import Catalog
from fashion_rir.errors import ParameterError
from fashion_rir.training_records import Split
from fashion_rir.workspace import Workspace

Model = tuple[np.ndarray, Mapping[str, object]]  # embeddings and metadata, as `experiments.embed`
PROTOCOLS = ("held_out", "unseen")


@dataclass(frozen=True)
class Asking:
    """Who asks whom, and who chooses the parameters.

    Attributes:
        parts: the split; its test products ask in the end.
        n_validation: validation products that ask to choose parameters, at most.
        n_queries: test products that ask rankings that are not made from one matrix, at most; None
            for all. Fewer than all are asked under `held_out` only.
        seed: of the draws and the bootstrap.

    Raises:
        ParameterError: fewer than 1 is to ask.
    """

    parts: Split
    n_validation: int = 500
    n_queries: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_validation", "n_queries"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ParameterError(f"One product must ask at least ({name}), not {number}.")

    def validation_queries(self, codes: np.ndarray) -> np.ndarray:
        """Rows of the validation products that ask.

        Raises:
            ParameterError: there is none with a class.
        """
        known = np.flatnonzero(self.parts.is_validation & (codes >= 0))
        if len(known) == 0:
            raise ParameterError(
                "There is no validation product with a class to choose parameters by; take more "
                "products."
            )
        return np.sort(np.random.default_rng(self.seed).permutation(known)[: self.n_validation])

    def is_query(self) -> np.ndarray:
        """Which test products ask, bool, shape (n_products,)."""
        tests = np.flatnonzero(self.parts.is_test)
        drawn = np.random.default_rng(self.seed).permutation(tests)[: self.n_queries]
        is_query = np.zeros(len(self.parts.is_test), dtype=bool)
        is_query[drawn] = True
        return is_query


def choose(
    workspace: Workspace,
    catalog: Catalog,
    metadata: Mapping[str, object],
    asking: Asking,
    grid: Sequence[Mapping[str, float]],
    score: Callable[..., float],
    **inputs: object,
) -> dict:
    """The parameters with the best validation mAP, as a record.

    Args:
        workspace: says where records lie.
        catalog: the products.
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
        **experiments.describe(workspace, catalog, metadata),
        "n_fit": int(parts.is_fit.sum()),
        "n_queries": len(asking.validation_queries(type_codes(catalog))),
        "grid": [dict(parameters) for parameters in grid],
        "seed": asking.seed,
        **inputs,
    }
    name = f"choice-{metadata['model']}"
    if (record := results.read_same(workspace.results, name, inputs)) is not None:
        return record
    rows = [{**some, "validation mAP": results.rounded(score(**some))} for some in grid]
    best = max(range(len(rows)), key=lambda row: rows[row]["validation mAP"])
    record = results.make_record("choice", name, inputs, rows=rows, chosen=dict(grid[best]))
    results.write(record, workspace.results)
    return record


def score(workspace: Workspace, catalog: Catalog, model: Model, asking: Asking) -> Model:
    """Score embeddings as `asking` says; gives them back.

    Args:
        workspace: says where records lie.
        catalog: the products.
        model: embeddings and metadata.
        asking: its test products ask, all of them.
    """
    experiments.retrieval(workspace, catalog, model, asking.parts.is_test, measure="cosine",
                          seed=asking.seed, protocols=PROTOCOLS)  # fmt: skip
    return model


def named(metadata: Mapping[str, object], method: str, **parameters: object) -> dict:
    """The metadata of what a method makes of a model.

    Args:
        metadata: of the model.
        method: becomes a part of the name.
        parameters: what else the embeddings depend on.
    """
    name = f"{metadata['model']}+{method}"
    return {**metadata, **parameters, "model": name, "transform": method}


def type_codes(catalog: Catalog) -> np.ndarray:
    """The articleTypes as integers, -1 where missing; shape (n_products,)."""
    return pd.factorize(catalog.products["articleType"], sort=True)[0]
