"""What a model is called in words, for every table, figure, page and command.

The words are made of what a record says of its model (`inputs.model`). Joined by `+`, where
embeddings stand side by side: `backbone`, `image_size`, `preprocessing`. And, where they apply:

- `family`: how it was trained, one of `FAMILIES`; none for a pretrained network,
- `run`: the recipe, such as `g` or `supervised`; `head`: the settings of a head,
- `seed`: of the training, several joined by `+` where their outputs were averaged,
- `searched`: which output is compared, such as `posterior`; `raw_share`: of the embeddings that
  the head saw, beside it,
- `statistics`: those of batch normalisation, where they are not as trained,
- `asked`: how the photos were scaled for the query, where it is not as in training,
- `transform`: what was done with the embeddings, several joined by `+`.

And, not for words: `model`, a short name; `training`, the hashes of its trainings' records;
`network`, whose pooling was replaced.
"""

import json
from collections.abc import Iterable, Mapping

WORDS = {
    "mobilenetv2": "MobileNetV2",
    "efficientnetlite0": "EfficientNet-Lite0",
    "efficientnetlite2": "EfficientNet-Lite2",
    "resnet18": "ResNet18",
    "resnet34": "ResNet34",
    "resnet50": "ResNet50",
    "alexnet": "AlexNet",
    "googlenet": "GoogLeNet",
    "hog": "HOG",
    "orb": "ORB",
    "sift": "SIFT",
    "resize": "resized",
    "pad": "padded",
    "pad-white": "padded white",
    "crop": "cropped",
    "none": "",
    "photo-oracle-articleType": "the photo's articleType known",
    "product-name": "product name, no picture",
    "hidden": "hidden layer",
    "binary": "binary codes",
    "database-side": "database-side features",
    "k-reciprocal": "k-reciprocal re-ranking",
    "l2": "scaled to length 1",
    "power": "power-normalised",
    "reduced128": "reduced to 128 numbers",
    "whiten256": "whitened to 256",
    "whitening": "whitened",
}

FAMILIES = {  # what stands before and behind the embeddings' words
    "label-end-to-end": ("", " tuned on types, run {run}"),
    "from-scratch": ("", " trained from nothing"),
    "contrastive-end-to-end": ("", " trained on pairs, run {run}"),
    "label-heads": ("{head} on ", ""),
    "attribute-heads": ("{run} head on ", ""),
    "contrastive-heads": ("{run} contrastive head on ", ""),
}

RUNS = {"attributes-final": "attribute", "attributes": "validated attribute"}


def in_words(
    model: Mapping[str, object], *, with_seed: bool = True, with_sources: bool = False
) -> str:
    """What a model is called.

    Args:
        model: a record's `inputs.model`, see above.
        with_seed: whether the seed of its training is said.
        with_sources: whether embeddings side by side are named; else they are counted.

    Example:
        >>> in_words({"backbone": "resnet50", "image_size": "224", "preprocessing": "pad"})
        'ResNet50 224 px padded'
        >>> two = {"backbone": "mobilenetv2+resnet50", "image_size": "128+224"}
        >>> in_words({**two, "family": "label-heads", "head": '{"hidden": 512}', "seed": "20+21",
        ...           "searched": "posterior"})
        'dense head of 512 on 2 embeddings, posterior, 2 seeds averaged'
    """
    named = sources(model)
    is_named = with_sources or len(named) == 1
    together = " + ".join(named) if is_named else f"{len(named)} embeddings"
    before, behind = FAMILIES.get(model.get("family"), ("", "" if is_named else " side by side"))
    about = {"run": _run(model), "head": _head(model)}
    parts = [before.format(**about) + together + behind.format(**about)]
    if "statistics" in model:
        parts.append(f"statistics {model['statistics']}")
    if "asked" in model:
        parts.append(f"asked in {model['asked']} input mode")
    if "searched" in model:
        share = float(model.get("raw_share", 0))
        beside = f" + {100 * share:.0f} % of the embeddings" if share else ""
        parts.append(_word(model["searched"]) + beside)
    parts += [_word(one) for one in str(model.get("transform", "")).split("+") if one]
    seeds = str(model.get("seed", "")).split("+")
    if len(seeds) > 1:
        parts.append(f"{len(seeds)} seeds averaged")
    elif with_seed and "seed" in model:
        parts.append(f"seed {seeds[0]}")
    return ", ".join(parts)


def distinct(models: Iterable[Mapping[str, object]], *, with_seed: bool = True) -> list[str]:
    """What the models of one table are called: two different ones never the same.

    Args:
        models: see `in_words`; `model` is the name that a record gives them.
        with_seed: whether seeds of one model are different ones.

    Returns:
        One name a model. Where the models of the table are of different lists of as many
        embeddings, these are named; where nothing tells two apart, the record's name stands behind.
    """
    models = list(models)
    lists = _lists(models)
    names = [
        in_words(model, with_seed=with_seed, with_sources=len(lists[len(sources(model))]) > 1)
        for model in models
    ]
    stored: dict[tuple, set] = {}
    for model, name in zip(models, names, strict=True):
        stored.setdefault((name, model.get("seed")), set()).add(model.get("model"))
    return [
        f"{name} ({model['model']})" if len(stored[name, model.get("seed")]) > 1 else name
        for model, name in zip(models, names, strict=True)
    ]


def legend(models: Iterable[Mapping[str, object]]) -> list[str]:
    """Which embeddings stand side by side, where the names of `distinct` only count them."""
    return [f"{n} embeddings: {' + '.join(*found)}" for n, found in sorted(_lists(models).items())
            if n > 1 and len(found) == 1]  # fmt: skip


def sources(model: Mapping[str, object]) -> list[str]:
    """The embeddings that a model is made of, sorted: network, pixels, how a photo was squared."""
    backbones = str(model.get("backbone", model.get("model", ""))).split("+")
    sizes = str(model.get("image_size", "")).split("+")
    ways = str(model.get("preprocessing", "none")).split("+")
    sizes, ways = (one * len(backbones) if len(one) == 1 else one for one in (sizes, ways))
    named = []
    for backbone, size, way in zip(backbones, sizes, ways, strict=True):
        pixels = f"{size} px" if size not in ("", "0") else ""
        named.append(" ".join(filter(None, (_backbone(backbone), pixels, _word(way)))))
    return sorted(named)


def _lists(models: Iterable[Mapping[str, object]]) -> dict[int, set[tuple[str, ...]]]:
    """The lists of embeddings side by side, by how many they are."""
    lists: dict[int, set] = {}
    for found in map(sources, models):
        lists.setdefault(len(found), set()).add(tuple(found))
    return lists


def _backbone(name: str) -> str:
    if name in WORDS:
        return WORDS[name]
    parts = name.replace("-gem", "-GeM-").split("-")
    return " ".join(f"({part})" if part.isdigit() else _word(part) for part in parts)


def _run(model: Mapping[str, object]) -> str:
    network = f"-{model.get('backbone')}-{model.get('image_size')}"  # is said already
    run = str(model.get("run", "")).removesuffix(network)
    return RUNS.get(run, run.replace("nt-xent", "NT-Xent"))


def _head(model: Mapping[str, object]) -> str:
    settings = model.get("head", "{}")
    settings = json.loads(settings) if isinstance(settings, str) else settings
    hidden = settings.get("hidden")
    return "linear probe" if hidden is None else f"dense head of {hidden}"


def _word(part: object) -> str:
    return WORDS.get(str(part), str(part).replace("-", " "))
