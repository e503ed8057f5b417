"""GeM pooling in place of a pretrained network's average pooling, its exponent chosen.

Radenovic et al. 2018, "Fine-tuning CNN Image Retrieval with No Human Annotation"; see `networks`.
"""

import keras
import numpy as np

from fashion_rir.data.splits import Asking
from fashion_rir.embedding import backbones
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import rankings
from fashion_rir.studies.choices import choose, score, type_codes
from fashion_rir.studies.names import named
from fashion_rir.studies.study import Study
from fashion_rir.training import end_to_end, networks

GEM_EXPONENTS = (1.0, 2.0, 3.0, 4.0, 6.0)  # 1 is average pooling

N_GALLERY = 2000  # training products that are searched to choose the exponent, at most


def gem_backbone(backbone: backbones.Backbone, p: float) -> backbones.Backbone:
    """The same network with GeM pooling in place of average pooling.

    Args:
        backbone: one that ends in global average pooling.
        p: the exponent, at least 1.

    Returns:
        A backbone of another name, which shares its weights with the given one.

    Raises:
        ParameterError: p out of range, or no average pooling at the end.
    """
    pooled = networks.GeMPooling(p)(_feature_maps(backbone).output)
    network = keras.Model(backbone.network.inputs, pooled, name=backbone.network.name)
    size = backbone.image_size
    inputs = keras.Input((size, size, 3), dtype="uint8", name="image")
    scaled = backbones.input_layers(inputs, backbone.input_mode)
    model = keras.Model(inputs, network(scaled), name=network.name)
    return backbones.Backbone(f"{backbone.name}-gem{p:g}", size, backbone.weights,
                              backbone.weights_sha256, backbone.input_mode, model,
                              pooled_from=backbone.name)  # fmt: skip


def gem_pooling(
    study: Study, backbone: backbones.Backbone, asking: Asking, *, preprocessing: str
) -> Embedded:
    """A network with GeM pooling, its exponent chosen, scored like any other.

    Feature maps are large, so the exponent is chosen on a sample of the training products.

    Args:
        study, asking: see `reranking.improve`.
        backbone: one that ends in global average pooling.
        preprocessing: see `images.PREPROCESSING`.

    Returns:
        Its embeddings and metadata.

    Raises:
        ParameterError: as for `gem_backbone`.
        StoreError: see `stores.embed`.
    """
    codes = type_codes(study.catalog)
    queries = asking.validation_queries(codes)
    fit = np.random.default_rng(asking.seed).permutation(np.flatnonzero(asking.parts.is_fit))
    rows = np.sort(np.concatenate([queries, fit[:N_GALLERY]]))
    maps: list[np.ndarray] = []  # made once, and only if no earlier run has chosen

    def validation_score(p: float) -> float:
        if not maps:
            names = study.catalog.products["image_name"].iloc[rows].tolist()
            size = backbone.image_size
            pictures = end_to_end.load_pictures(study.catalog, names, size, preprocessing)
            maps.append(_predicted_maps(backbone, pictures))
        asked = np.searchsorted(rows, queries)
        ranked = rankings.rank_rows(networks.gem(maps[0], p), asked, np.arange(len(rows)))
        return rankings.mean_average_precision(ranked, codes[rows])

    about = {**backbone.metadata(preprocessing), "data_hash": study.catalog.data_hash}
    grid = [{"p": float(p)} for p in GEM_EXPONENTS]
    extra = {"n_gallery": len(rows)}
    chosen = choose(study, named(about, "gem"), asking, grid, validation_score, **extra)
    pooled = gem_backbone(backbone, chosen["chosen"]["p"])
    return score(study, study.embed(pooled, preprocessing), asking)


def _feature_maps(backbone: backbones.Backbone) -> keras.Model:
    """The network without its pooling."""
    pooling = backbone.network.layers[-1]
    if not isinstance(pooling, keras.layers.GlobalAveragePooling2D):
        raise ParameterError(
            f"{backbone.name} does not end in global average pooling, which GeM pooling is to "
            "replace; take one of `backbones.BACKBONES`."
        )
    return keras.Model(backbone.network.inputs, pooling.input)


def _predicted_maps(backbone: backbones.Backbone, pictures: np.ndarray) -> np.ndarray:
    """float32 (n, height, width, channels) of pictures in uint8."""
    inputs = keras.Input(pictures.shape[1:], dtype="uint8")
    scaled = backbones.input_layers(inputs, backbone.input_mode)
    model = keras.Model(inputs, _feature_maps(backbone)(scaled))
    return model.predict(pictures, batch_size=64, verbose=0)
