"""The experiments of notebook 08 on the ways of search before convolutional networks.

Each descriptor of `classical` is embedded and scored like a network. `precluster` measures the
literature's short cut, to search one k-means cluster only.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_rir.embedding import descriptors, embed
from fashion_rir.embedding.descriptors import BagOfVisualWords
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError, TrainingError, unknown_name
from fashion_rir.evaluation import intervals
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import runs
from fashion_rir.system import whole_file
from fashion_rir.workspace import joined_store, stores

FIXED = {
    "perceptual-hash": descriptors.PerceptualHash,
    "colour-histogram": descriptors.ColourHistogram,
    "hog": descriptors.Hog,
}

BAGS = tuple(descriptors.DETECTORS)  # these learn a vocabulary first

DESCRIPTORS = (*FIXED, *BAGS)

PREPROCESSING = "resize"

VOCABULARY_FILE = "vocabulary.npy"


def embed_descriptor(
    study: Study, name: str, *, n_words: int = 256, n_pictures: int = 2000
) -> Embedded:
    """The catalogue's embeddings by a classical descriptor: from its feature store, or made.

    Of the catalogue `shipped`, whose photos are not there, the colour histogram travels with the
    project, reduced.

    Args:
        study: its products, split, seed and folders; a vocabulary is learned on some of the
            products that do not ask.
        name: one of `DESCRIPTORS`.
        n_words: of a vocabulary.
        n_pictures: that a vocabulary is learned from, at most.

    Returns:
        float32 (n_products, embedding_dim) and metadata, as `stores.embed`. Those of a bag of
        words say how many pictures have no keypoint (`n_without_keypoints`).

    Raises:
        ParameterError: unknown descriptor, or too many words for the pictures.
        StoreError: see `stores.embed`.
    """
    if study.catalogue == "shipped":
        return joined_store.open_source(model_name(name, n_words=n_words)).embedded(study.catalog)
    made = embedder(study, name, n_words=n_words, n_pictures=n_pictures)
    vectors, metadata = stores.embed(
        study.workspace, study.catalog, made, preprocessing=PREPROCESSING
    )
    if name in BAGS:
        metadata = metadata | {"n_without_keypoints": descriptors.n_without_keypoints(vectors)}
    return vectors, metadata


def embedder(
    study: Study, name: str, *, n_words: int = 256, n_pictures: int = 2000
) -> embed.Embedder:
    """A classical descriptor, with its vocabulary if it needs one; see `embed_descriptor`."""
    if name not in DESCRIPTORS:
        raise unknown_name("classical descriptor", name, DESCRIPTORS)
    return FIXED[name]() if name in FIXED else learn_words(study, name, n_words, n_pictures)


def model_name(name: str, *, n_words: int = 256) -> str:
    """What the embeddings of a descriptor are called.

    Args:
        name: one of `DESCRIPTORS`.
        n_words: see `embed_descriptor`.

    Example:
        >>> model_name("sift", n_words=64)
        'bag-of-sift-words-64-128-resize'
    """
    if name in FIXED:
        return f"{name}-{FIXED[name].image_size}-{PREPROCESSING}"
    return f"bag-of-{name}-words-{n_words}-{BagOfVisualWords.image_size}-{PREPROCESSING}"


def learn_words(study: Study, detector: str, n_words: int, n_pictures: int) -> BagOfVisualWords:
    """A bag of visual words with the vocabulary that an earlier call kept, or a new one.

    It is kept because k-means' last digits differ between machines, and a feature store takes
    embeddings by one vocabulary only.

    Args:
        study: its products, split, seed and folders.
        detector: `sift` or `orb`.
        n_words, n_pictures: see `embed_descriptor`.

    Returns:
        The bag, fitted.

    Raises:
        ParameterError: no picture to learn from, or too many words for the pictures.
        TrainingError: the kept vocabulary is damaged.
    """
    is_train = ~study.is_test
    if n_pictures < 1:
        raise ParameterError(
            f"A vocabulary needs at least 1 training picture; {n_pictures} are asked for."
        )
    bag = BagOfVisualWords(detector)
    drawn = np.random.default_rng(study.seed).permutation(np.flatnonzero(is_train))[:n_pictures]
    names = study.catalog.products["image_name"].iloc[np.sort(drawn)].tolist()
    inputs = {"data_hash": study.catalog.data_hash, "pictures": names, "detector": detector,
              "preprocessing": PREPROCESSING, "n_words": n_words, "seed": study.seed}  # fmt: skip
    path = runs.folder(study.workspace, f"words-{detector}", inputs) / VOCABULARY_FILE
    if path.exists():
        bag.vocabulary = _kept_words(path, n_words)
        return bag
    pictures = embed.batches(study.catalog, names, bag.image_size, PREPROCESSING, batch_size=64)
    # The last batch is filled up with black pictures, which are none of the catalogue's.
    bag.fit((batch[: len(some)] for some, batch in pictures), n_words=n_words, seed=study.seed)
    with whole_file(path, TrainingError) as partial, open(partial, "wb") as file:
        np.save(file, bag.vocabulary)
    return bag


def precluster(
    study: Study,
    model: Embedded,
    is_query: np.ndarray,
    *,
    n_clusters: Sequence[int] = (3, 9, 30, 100),
) -> dict:
    """What k-means pre-clustering saves and costs, by the number of clusters, as a record.

    Args:
        study: its products, split, seed and folders.
        model: embeddings (n_products, embedding_dim) and metadata.
        is_query: bool, shape (n_products,): test products that ask; clusters are learned on the
            others.
        n_clusters: how many, one row each.

    Returns:
        A record of kind `preclustering`; its `rows` are those of `classical.preclustering`. One
        of the same inputs is not made again.

    Raises:
        ParameterError: no number, or one that `classical.preclustering` refuses.
    """
    if len(n_clusters) == 0:
        raise ParameterError("Say how many clusters are to be made, once at least.")
    vectors, metadata = model
    inputs = {
        **study.describe(metadata),
        "n_queries": int(is_query.sum()),
        "n_clusters": list(n_clusters),
        "label": "articleType",
        "seed": study.seed,
    }

    def cluster() -> dict[str, object]:
        codes = pd.factorize(study.catalog.products["articleType"], sort=True)[0]
        rows = [
            preclustering(vectors, is_query, codes, n_clusters=n, seed=study.seed)
            for n in n_clusters
        ]
        return {"rows": [{key: intervals.rounded(value) for key, value in row.items()}
                         for row in rows]}  # fmt: skip

    name = preclustering_name(str(metadata["model"]))
    return study.record("preclustering", name, inputs, cluster)


def preclustering_name(model: str) -> str:
    """The name of the record of `precluster`."""
    return f"preclustering-{model}"


def preclustering_table(record: Mapping) -> pd.DataFrame:
    """The record of `precluster`, one row a number of clusters; shares are 0 to 1."""
    table = pd.DataFrame(record["rows"]).set_index("n_clusters")
    names = {
        "n_queries_short": "queries with fewer than 10 in their cluster",
        "share_compared": "share of the gallery compared",
        "recall": "recall of the exact 10",
        "precision_exact": "precision@10, exact",
        "precision_clustered": "precision@10, own cluster",
    }
    return table[list(names)].rename(columns=names).rename_axis("clusters")


def preclustering(
    embeddings: np.ndarray,
    is_query: np.ndarray,
    labels: np.ndarray,
    *,
    n_clusters: int,
    seed: int,
    k: int = 10,
) -> dict[str, float]:
    """Search by cosine in the query's k-means cluster only, against search of the whole gallery.

    Clusters are learned on the products that do not ask; the query itself is taken out.

    Args:
        embeddings: float32, shape (n_products, embedding_dim).
        is_query: bool, shape (n_products,): the test products.
        labels: integers, shape (n_products,): codes of articleType, say; -1 where it is missing.
        n_clusters, k: how many clusters and matches; as many as there are products, at most.
        seed: of k-means.

    Returns:
        `n_clusters`, `k`, `n_queries`; `n_queries_short`, whose cluster holds fewer than k others
        (places left free count as misses); `share_compared`, of the gallery by a query in the mean,
        centres included; `recall`, the share of the exact k matches found; `precision_exact` and
        `precision_clustered`, over the queries with a label.

    Raises:
        ParameterError, StoreError: what cannot be asked, a number out of range, or bad embeddings.
    """
    from sklearn.cluster import KMeans

    is_query, labels = _checked_queries(embeddings, is_query, labels, n_clusters)
    gallery = Gallery(embeddings, np.arange(len(embeddings)), "cosine")
    queries = np.flatnonzero(is_query)
    exact = gallery.search(embeddings[queries], k, exclude_ids=queries).ids
    model = KMeans(n_clusters, n_init=3, random_state=seed).fit(gallery.vectors[~is_query])
    cluster = model.predict(gallery.vectors)
    found = _search_within(gallery, cluster, queries, k)
    n_others = np.bincount(cluster, minlength=n_clusters)[cluster[queries]] - 1
    is_found = [np.isin(wanted, some) for wanted, some in zip(exact, found, strict=True)]
    return {
        "n_clusters": n_clusters,
        "k": k,
        "n_queries": len(queries),
        "n_queries_short": int(np.sum(n_others < k)),
        "share_compared": float(np.mean(n_others + n_clusters) / (len(embeddings) - 1)),
        "recall": float(np.mean(is_found)),
        "precision_exact": _precision(exact, labels, labels[queries]),
        "precision_clustered": _precision(found, labels, labels[queries]),
    }


def _kept_words(path: Path, n_words: int) -> np.ndarray:
    try:
        words = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise TrainingError(
            f"The vocabulary {path} is damaged ({type(error).__name__}); delete it, and the "
            "feature store made by it, to learn it again."
        ) from error
    if words.ndim != 2 or len(words) != n_words:
        raise TrainingError(
            f"The vocabulary {path} holds {words.shape} numbers, not {n_words} words; delete it, "
            "and the feature store made by it, to learn it again."
        )
    return words


def _checked_queries(
    embeddings: np.ndarray, is_query: np.ndarray, labels: np.ndarray, n_clusters: int
) -> tuple[np.ndarray, np.ndarray]:
    """`is_query` as bool and `labels` as integers; see `preclustering`."""
    if not len(embeddings) == len(is_query) == len(labels):
        raise ParameterError(
            f"{len(embeddings)} embeddings, {len(is_query)} query marks and {len(labels)} labels "
            "do not belong together."
        )
    is_query, labels = np.asarray(is_query, dtype=bool), np.asarray(labels)
    if not np.issubdtype(labels.dtype, np.integer):
        raise ParameterError(
            f"Labels are integer codes, not {labels.dtype}; take those of pandas.factorize."
        )
    if not np.any(labels[is_query] >= 0):
        raise ParameterError("The split holds no test product with a label to ask for.")
    n_train = int(np.sum(~is_query))
    if not 1 <= n_clusters <= n_train:
        raise ParameterError(
            f"The number of clusters must be 1 to {n_train} (the products that do not ask), not "
            f"{n_clusters}."
        )
    return is_query, labels


def _search_within(
    gallery: Gallery, cluster: np.ndarray, queries: np.ndarray, k: int
) -> np.ndarray:
    """Ids of the k closest products of each query's own cluster; -1 where it has no more."""
    ids = np.full((len(queries), k), -1)
    for one in np.unique(cluster[queries]):
        rows = np.flatnonzero(cluster[queries] == one)
        own = queries[rows]
        found = gallery.search(gallery.vectors[own], k, exclude_ids=own, where=cluster == one).ids
        ids[rows, : found.shape[1]] = found
    return ids


def _precision(ids: np.ndarray, labels: np.ndarray, wanted: np.ndarray) -> float:
    """Mean share of the places with a product of the query's label."""
    is_hit = (ids >= 0) & (labels[ids] == wanted[:, None])
    return float(is_hit[wanted >= 0].mean())
