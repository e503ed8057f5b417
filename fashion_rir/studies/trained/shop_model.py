"""The storefront's own model: a head, words, and how well both find.

It is trained on the embeddings that travel with the project, so it comes with it too, and is
measured as whoever has the project uses it. Test products, and their names, are unseen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from fashion_rir.data import splits
from fashion_rir.data.labels import learn_classes
from fashion_rir.embedding import joined, words
from fashion_rir.embedding.joined import LOOKS, WORDS, JoinedModel
from fashion_rir.search.transforms import joint_features
from fashion_rir.training import fit, heads, towers
from fashion_rir.training.objectives import Classification

ATTRIBUTES = ("articleType", "baseColour", "gender", "usage")

# Of each part in the similarity, near what notebook 08 chose; more colour, by validation products.
SHARES = {"articleType": 1.0, "baseColour": 0.1, "gender": 0.05, "usage": 0.05, LOOKS: 0.05,
          WORDS: 0.05}  # fmt: skip

TEMPERATURE = 0.3

HEAD = heads.HeadSettings(hidden=512)

TRAINING = fit.TrainingSettings(epochs=24, batch_size=512, learning_rate=2e-3, schedule="cosine")

# The labels that a made-up caption says, beside the product's own name.
PHRASES = (("articleType",), ("baseColour", "articleType"), ("gender", "articleType"),
           ("baseColour",), ("gender", "baseColour", "articleType"), ("usage", "articleType"),
           ("baseColour", "gender"))  # fmt: skip

N_CHANGED = 1000  # queries of which an attribute is changed

BLOCK = 256  # queries that are ranked at a time


def train(
    products: pd.DataFrame, models: Mapping[str, np.ndarray], *, seed: int
) -> tuple[JoinedModel, np.ndarray]:
    """Train head and words.

    Args:
        products: of the catalogue, with their labels and names.
        models: embeddings by the name of their source, a row a product.
        seed: of the split and of both trainings.

    Returns:
        The model, and bool (n_products,): the test products, which it has not seen.
    """
    parts = splits.split(products, seed=seed)
    features = joint_features(list(models.values()))
    labels = {name: products[name].where(products[name].isin(products[name][parts.is_fit]))
              for name in ATTRIBUTES}  # fmt: skip
    classes = {name: learn_classes(name, values, parts.is_fit) for name, values in labels.items()}
    codes = {name: classes[name].codes(values) for name, values in labels.items()}

    def of(chosen: np.ndarray) -> tuple:
        return features[chosen], {name: values[chosen] for name, values in codes.items()}

    head, _ = heads.train_head(
        of(parts.is_fit), Classification(classes, HEAD.label_smoothing), HEAD,
        fit.Training(TRAINING, seed, None), validation=of(parts.is_validation),
    )  # fmt: skip
    arrays = _arrays(head)
    total = sum(SHARES.values())
    names = {name: list(known.names) for name, known in classes.items()}
    empty = {"images": np.empty((0, 0)), "texts": np.empty((0, 0))}
    model = JoinedModel(
        list(models),
        arrays | empty,
        names,
        {name: share / total for name, share in SHARES.items()},
        TEMPERATURE,
        {},
    )
    pictures = np.hstack([model.hidden(features), features / np.sqrt(len(models))])
    seen = np.flatnonzero(parts.is_fit | parts.is_validation)
    table = np.stack([codes[name][seen] for name in ATTRIBUTES], axis=1)
    draw = _captions(products.iloc[seen], table, names)
    images, texts, _ = towers.fit_towers(pictures[seen], draw, towers.TowerSettings(), seed=seed)
    arrays |= {"images": images, "texts": texts}
    return JoinedModel(list(models), arrays, names, model.shares, TEMPERATURE, {}), parts.is_test


def _arrays(head: heads.Head) -> dict[str, np.ndarray]:
    """The weights of a Keras head, for NumPy."""
    normal, dense = None, {}
    for layer in head.model.layers:
        if type(layer).__name__ == "Normalization":
            normal = layer
        elif type(layer).__name__ == "Dense":
            dense[layer.name] = [np.asarray(one) for one in layer.get_weights()]
    (hidden,) = (name for name in dense if name not in ATTRIBUTES)
    arrays = {
        "mean": np.asarray(normal.mean).reshape(-1),
        "deviation": np.sqrt(np.asarray(normal.variance).reshape(-1)),
        "hidden": dense[hidden][0],
        "hidden_bias": dense[hidden][1],
    }
    return arrays | {f"out-{name}": np.vstack(dense[name]) for name in ATTRIBUTES}


def _captions(
    products: pd.DataFrame, codes: np.ndarray, classes: Mapping[str, Sequence[str]]
) -> Callable[[np.random.Generator], towers.Batch]:
    """Draws products with a caption each: the name of a half, labels of the others."""
    names = products["productDisplayName"].fillna("").to_numpy(dtype=object)
    name_codes = pd.factorize(names)[0]
    size = towers.TowerSettings().batch_size

    def draw(generator: np.random.Generator) -> towers.Batch:
        rows = generator.choice(len(names), min(size, len(names)), replace=False)
        said = np.zeros((len(rows), len(ATTRIBUTES)), dtype=bool)
        captions = []
        for place, row in enumerate(rows):
            phrase = PHRASES[generator.integers(len(PHRASES))]
            columns = [ATTRIBUTES.index(label) for label in phrase]
            if generator.random() < 0.5 or (codes[row, columns] < 0).any():
                captions.append(names[row])
                continue
            said[place, columns] = True
            captions.append(
                " ".join(
                    classes[label][codes[row, column]]
                    for label, column in zip(phrase, columns, strict=True)
                )
            )
        here = codes[rows]
        fits = np.ones((len(rows), len(rows)), dtype=bool)
        for column in range(len(ATTRIBUTES)):
            same = here[:, column][:, None] == here[:, column][None]
            fits &= ~said[:, column][:, None] | same
        by_name = ~said.any(axis=1)
        fits[by_name] = name_codes[rows][by_name][:, None] == name_codes[rows][None]
        return rows, captions, fits

    return draw


def first_ten(
    gallery: np.ndarray, queries: np.ndarray, own: np.ndarray | None = None, k: int = 10
) -> np.ndarray:
    """The k most alike products of each query, the query's own left out.

    Args:
        gallery: float32 (n_products, dim).
        queries: float32 (n_queries, dim).
        own: the row of each query in the gallery; None if it is none of them.

    Returns:
        Rows, int64 (n_queries, k), the most alike first.
    """
    found = np.empty((len(queries), k), dtype=np.int64)
    for start in range(0, len(queries), BLOCK):
        alike = queries[start : start + BLOCK] @ gallery.T
        if own is not None:
            alike[np.arange(len(alike)), own[start : start + BLOCK]] = -np.inf
        best = np.argpartition(-alike, k, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(alike, best, 1), axis=1)
        found[start : start + BLOCK] = np.take_along_axis(best, order, 1)
    return found


def photo_quality(
    gallery: np.ndarray, products: pd.DataFrame, is_test: np.ndarray
) -> dict[str, float]:
    """Of the first ten products, the share with the query's own label, by label."""
    own = np.flatnonzero(is_test)
    found = first_ten(gallery, gallery[own], own)
    quality = {}
    for label in ATTRIBUTES:
        values = products[label].fillna("").to_numpy(dtype=object)
        known = values[own] != ""
        quality[label] = float((values[found] == values[own][:, None])[known].mean())
    return quality


def mean_average_precision(gallery: np.ndarray, types: np.ndarray, own: np.ndarray) -> float:
    """mAP of some queries over the whole gallery, relevant by type, the own product left out."""
    scores = []
    for start in range(0, len(own), 64):
        rows = own[start : start + 64]
        order = np.argsort(-(gallery[rows] @ gallery.T), axis=1)
        for row, ranked in zip(rows, order, strict=True):
            hits = (types[ranked] == types[row])[ranked != row]
            if hits.any():
                ranks = np.flatnonzero(hits) + 1
                scores.append((np.arange(1, len(ranks) + 1) / ranks).mean())
    return float(np.mean(scores))


def change_quality(
    model: JoinedModel, gallery: np.ndarray, products: pd.DataFrame, rows: np.ndarray, *, seed: int
) -> dict[str, object]:
    """Of queries with one attribute changed, what the first ten products have.

    A new value is drawn by how many products have it, among those that at least ten products
    have together with the query's type (for a new type: with the query's gender).

    Args:
        model: that made the gallery.
        gallery: float32 (n_products, dim).
        products: with their labels.
        rows: of the products that ask, until `N_CHANGED` of them can.
        seed: of the draw.

    Returns:
        By attribute and over all: the share with the new value; and the share with the query's
        other attributes, before the change and after it.
    """
    table = {label: products[label].fillna("").to_numpy(dtype=object) for label in ATTRIBUTES}
    asked = _changes(model, table, rows, seed=seed)
    queries = [model.changed(gallery[row], values={label: value}) for row, label, value in asked]
    own = np.array([row for row, _, _ in asked])
    before, after = (
        first_ten(gallery, gallery[own], own),
        first_ten(gallery, np.stack(queries), own),
    )
    results = []
    for place, (row, label, value) in enumerate(asked):
        others = [one for one in ATTRIBUTES if one != label and table[one][row]]
        kept = [np.mean([(table[one][found[place]] == table[one][row]).mean() for one in others])
                for found in (before, after)]  # fmt: skip
        results.append((label, (table[label][after[place]] == value).mean(), *kept))
    frame = pd.DataFrame(
        results, columns=["attribute", "new value", "others before", "others after"]
    )
    means = frame.groupby("attribute").mean()
    return {
        "n_queries": len(frame),
        "all": frame.drop(columns="attribute").mean().round(6).to_dict(),
        "by attribute": means.round(6).to_dict("index"),
    }


def _changes(
    model: JoinedModel, table: Mapping[str, np.ndarray], rows: np.ndarray, *, seed: int
) -> list[tuple[int, str, str]]:
    """A row, an attribute and its new value for each query; see `change_quality`."""
    generator = np.random.default_rng(seed)
    asked = []
    for row in rows:
        if len(asked) == N_CHANGED:
            break
        label = ATTRIBUTES[generator.integers(len(ATTRIBUTES))]
        beside = "gender" if label == "articleType" else "articleType"
        near = table[label][table[beside] == table[beside][row]]
        counts = pd.Series(near[(near != "") & (near != table[label][row])]).value_counts()
        counts = counts[(counts >= 10) & counts.index.isin(model.classes[label])]
        if counts.empty or not table[label][row]:
            continue
        shares = (counts / counts.sum()).to_numpy()
        asked.append((row, label, generator.choice(counts.index.to_numpy(), p=shares)))
    return asked


def word_quality(
    model: JoinedModel, gallery: np.ndarray, products: pd.DataFrame, is_test: np.ndarray
) -> dict[str, float]:
    """How well words find: names of test products, and the words of types and colours.

    Args:
        model: that made the gallery.
        gallery: float32 (n_products, dim), of all products.
        products: with labels and names.
        is_test: bool (n_products,), whose names are unseen.

    Returns:
        Recall@1, recall@10 and MRR from a name to its product among all products; precision@10
        from type and from colour to products, among all products and among test products only.
        A class with fewer than ten products is not asked for.
    """
    seen = gallery[:, model.parts[WORDS]]
    seen = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    own = np.flatnonzero(is_test & products["productDisplayName"].notna().to_numpy())
    names = products["productDisplayName"].iloc[own].tolist()
    ranks = []
    for start in range(0, len(own), BLOCK):
        alike = _read(model, names[start : start + BLOCK]) @ seen.T
        mine = alike[np.arange(len(alike)), own[start : start + BLOCK]]
        ranks.append(1 + (alike > mine[:, None]).sum(axis=1))
    rank = np.concatenate(ranks)
    quality = {
        "n_names": len(rank),
        "recall@1": float((rank == 1).mean()),
        "recall@10": float((rank <= 10).mean()),
        "MRR": float((1 / rank).mean()),
    }
    for label in ("articleType", "baseColour"):
        for which, chosen in (("all", np.arange(len(seen))), ("test", np.flatnonzero(is_test))):
            values = products[label].fillna("").to_numpy(dtype=object)[chosen]
            counts = pd.Series(values[values != ""]).value_counts()
            asked = counts.index[counts >= 10].tolist()
            found = first_ten(seen[chosen], _read(model, asked))
            hits = values[found] == np.array(asked, dtype=object)[:, None]
            quality[f"{label} precision@10, {which} products"] = float(hits.mean())
            quality[f"{label} classes, {which} products"] = len(asked)
    return quality


def measure(
    model: JoinedModel,
    gallery: np.ndarray,
    products: pd.DataFrame,
    is_test: np.ndarray,
    *,
    seed: int,
) -> dict[str, object]:
    """All that is measured of the model.

    Args:
        model: that made the gallery.
        gallery: float32 (n_products, dim).
        products: with labels and names.
        is_test: bool (n_products,).
        seed: of the draw of the queries that are changed.

    Returns:
        By label the share of the first ten products with the query's own, for test products as
        queries; `changes`, of 1,000 of them (see `change_quality`); `words` (see `word_quality`).
    """
    asked = np.random.default_rng(seed).permutation(np.flatnonzero(is_test))
    return {
        **photo_quality(gallery, products, is_test), "n_queries": int(is_test.sum()),
        "changes": change_quality(model, gallery, products, asked, seed=seed),
        "words": word_quality(model, gallery, products, is_test),
    }  # fmt: skip


def _read(model: JoinedModel, texts: list[str]) -> np.ndarray:
    """The words' place of some texts, of length 1."""
    table = model.arrays["texts"]
    found = np.stack([table[words.rows_of(text)].sum(axis=0) for text in texts])
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def rounded(model: JoinedModel) -> JoinedModel:
    """The model as it is once it has been kept."""
    return replace(model, arrays=joined.rounded(model.arrays))
