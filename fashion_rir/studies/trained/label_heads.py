"""Notebook 04's heads on stored embeddings: trained, made embeddings, scored and compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_rir.data import splits
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import unknown_name
from fashion_rir.evaluation import rankings
from fashion_rir.evaluation.protocols import GRADED, PROTOCOLS
from fashion_rir.search import reranking
from fashion_rir.studies import names, scoring
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained.heads import (
    ATTRIBUTES,
    LABEL_HEADS,
    HeadPlan,
    HeadRun,
    choose_temperature,
    ensemble,
    run_head,
)
from fashion_rir.training import heads
from fashion_rir.training.fit import TrainingSettings
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import stores, tables

SECOND = "second network"  # its row, whatever it is, where two studies stand side by side

COST_METRICS = (("articleType", "mAP"), *((label, "precision@10") for label in ATTRIBUTES),
                (GRADED, "nDCG@10"))  # fmt: skip


@dataclass(frozen=True)
class HeadExperiment:
    """The heads of a study, and who asks.

    Attributes:
        study: its products, split, seed and folders.
        sources: the embeddings that each head sees, from `names.head_sources`.
        epochs: of each training.
        n_seeds: how often each head is trained.
        n_asked: test products that ask, at most; all if None, under every protocol.
        raw_shares: of the embeddings as they are, put back beside the head that sees most.
    """

    study: Study
    sources: Mapping[str, Sequence[Embedded]]
    epochs: int
    n_seeds: int
    n_asked: int | None = None
    raw_shares: Sequence[float] = names.RAW_SHARES

    @property
    def seeds(self) -> range:
        """Of the trainings."""
        return splits.seeds(self.study.seed, self.n_seeds)

    @property
    def is_query(self) -> np.ndarray:
        """The products that ask, bool, shape (n_products,)."""
        is_test = self.study.is_test
        if self.n_asked is None:
            return is_test
        return splits.sample_queries(is_test, self.n_asked, seed=self.study.seed)

    def train(self, called: Sequence[str]) -> dict[str, list[HeadRun]]:
        """Heads by what to call them, one for each seed.

        Args:
            called: `probe on both` (a linear one), or `head on <source>` (a hidden layer of 512);
                the head that sees most is the last.

        Raises:
            ParameterError: another name.
        """
        fitting = TrainingSettings(epochs=self.epochs, batch_size=512, schedule="cosine",
                                   weight_decay=0.01)  # fmt: skip
        known = {"probe on both": ("probe", self.sources["both"])}
        known |= {f"head on {what}": ("dense512", seen) for what, seen in self.sources.items()}
        trained = {}
        for name in called:
            if name not in known:
                raise unknown_name("head", name, known)
            kind, seen = known[name]
            trained[name] = [run_head(self.study, seen, HeadPlan(kind, LABEL_HEADS[kind], fitting,
                                                                 seed))
                             for seed in self.seeds]  # fmt: skip
        return trained

    def posterior(self, run: HeadRun) -> Embedded:
        """The root of what a head believes, at the temperature that validation products choose."""
        (logits,), (codes,) = run.logits.values(), run.codes.values()
        n_queries = 500 if self.n_asked is None else max(1, self.n_asked // 4)
        temperature, _ = choose_temperature(
            logits, codes, self.study.parts, n_queries=n_queries, seed=self.study.seed
        )
        vectors = heads.posterior_embedding(logits, temperature=temperature)
        return run.embedding("posterior", vectors, temperature=temperature)

    def score(self, model: Embedded, protocols: Sequence[str] = ("held_out", "unseen")) -> dict:
        """The retrieval record of embeddings; where only some products ask, `held_out` alone."""
        protocols = tuple(protocols) if self.n_asked is None else ("held_out",)
        return scoring.retrieval(self.study, model, self.is_query, measure="cosine",
                                 protocols=protocols)  # fmt: skip

    def unseen_map(self, model: Embedded) -> float:
        """The mAP by articleType with nothing but test products in the gallery."""
        codes = pd.factorize(self.study.catalog.products["articleType"])[0]
        asked, gallery = np.flatnonzero(self.is_query), np.flatnonzero(self.study.is_test)
        ranked = rankings.rank_rows(model[0], asked, gallery)
        return float(rankings.mean_average_precision(ranked, codes))

    def score_all(self, trained: Mapping[str, Sequence[HeadRun]]) -> dict[str, Embedded]:
        """Score the embeddings as they are, every head's posterior, and what is made of the best.

        Args:
            trained: from `train`; the last is the head that sees most.

        Returns:
            The posteriors by the head's name; the ensemble's is the last. What is written is what
            `names.cost_groups` names, as far as it was trained.
        """
        runs = [run for several in trained.values() for run in several]
        most = list(self.sources.values())[-1]
        raw = stores.joint_model(list(most))
        for model in (self.sources["MobileNetV2"][0], most[-1], raw):
            self.score(model, PROTOCOLS)
        best = list(trained.values())[-1]
        several = [ensemble(best)] if len(best) > 1 else []
        posteriors = {run.name: self.posterior(run) for run in [*runs, *several]}
        for model in posteriors.values():
            self.score(model)
        first = best[0]
        for share in self.raw_shares:
            both = [posteriors[first.name][0], raw[0]]
            joint = reranking.concatenate(both, weights=[1 - share, share])
            self.score(first.embedding("posterior", joint, raw_share=share))
        self.score(first.embedding("hidden", first.hidden))
        return posteriors


def cost_table(
    folder: Path, groups: Mapping[str, Sequence[str]], *, protocol: str = "held_out"
) -> pd.DataFrame:
    """What label training gives and takes, from the records.

    Args:
        folder: a profile's results.
        groups: names of records by what to call the group, from `names.cost_groups`; a group that
            was not measured is left out.
        protocol: one of `protocols.PROTOCOLS`.

    Returns:
        Index: the groups. `seeds`, `mAP`, precision@10 as `type P@10` and so on, `nDCG@10`, and
        the spread of each over the seeds (missing where there is one).

    Raises:
        RecordError: no group was measured, or the records are of different data.
    """
    records = {group: result_records.read_named(folder, members)
               for group, members in groups.items()
               if all(result_records.is_there(folder, name) for name in members)}  # fmt: skip
    table = tables.seed_table(records, protocol=protocol, metrics=COST_METRICS).set_index("model")
    short = {"articleType mAP": "mAP", "graded nDCG@10": "nDCG@10", "articleType": "type",
             "baseColour": "colour", "precision@10": "P@10"}  # fmt: skip
    for long, name in short.items():
        table.columns = [column.replace(long, name) for column in table.columns]
    return table.drop(columns=["dim", "weights"])


def beside(
    live: pd.DataFrame, full: pd.DataFrame, columns: Sequence[str], *, called: Sequence[str] = ()
) -> pd.DataFrame:
    """Two tables of the same form, each column of the one right beside that of the other.

    Args:
        live: of this run.
        full: of the full run.
        columns: to show.
        called: names in the index that stand for one and the same row, such as the second network.

    Returns:
        Columns such as `mAP` and `mAP, full run`; every row of either, those of the full run in
        its order; missing where one of them has no such row.
    """

    def same(row: str) -> str:
        for name in called:
            row = row.replace(name, SECOND)
        return row

    live, full = live.rename(index=same)[list(columns)], full.rename(index=same)[list(columns)]
    order = dict.fromkeys([*full.index, *live.index])
    pairs = [column for name in columns for column in (name, f"{name}, full run")]
    full = full.rename(columns=lambda name: f"{name}, full run")
    return pd.concat([live, full], axis=1).reindex(index=list(order), columns=pairs)


def accuracy_table(trained: Mapping[str, Sequence[HeadRun]]) -> pd.DataFrame:
    """Accuracies and calibration error of heads on the test products: means over their seeds.

    Args:
        trained: from `HeadExperiment.train`.
    """
    return _accuracies({name: [run.record for run in runs] for name, runs in trained.items()})


def recorded_accuracy(folder: Path, groups: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """As `accuracy_table`, of the heads behind retrieval records.

    Args:
        folder: a profile's results.
        groups: from `names.cost_groups`; what is no head's posterior is left out.

    Raises:
        RecordError: a record is damaged.
    """
    trained = {one["inputs_hash"]: one for one in result_records.read_kind(folder, "training")}
    found = {}
    for group, members in groups.items():
        models = [one["inputs"]["model"] for one in result_records.read_named(folder, members)]
        if group.startswith(("probe on", "head on")):
            found[group] = [trained[model["training"]] for model in models]
    return _accuracies(found)


def _accuracies(records: Mapping[str, Sequence[Mapping]]) -> pd.DataFrame:
    rows = {
        name: pd.DataFrame([one["accuracy"] | {"calibration error": one["calibration_error"]}
                            for one in several]).mean()
        for name, several in records.items()
    }  # fmt: skip
    return pd.DataFrame(rows).T
