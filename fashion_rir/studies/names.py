"""What notebook 08 trains on stored embeddings, and how its tables group the records."""

from collections.abc import Mapping, Sequence
from typing import Any

from fashion_rir.evaluation import protocols
from fashion_rir.search.gallery import MEASURES
from fashion_rir.workspace.short_names import joint_name, short_name

FLOORS = ("mean-colour-32-resize", "raw-pixels-16-resize")

# Notebook 03: the measures that say something new after each transform.
TRANSFORM_RUNS = {
    "l2": ("euclidean", "manhattan"),
    "power": ("cosine", "manhattan"),
    "whiten256": ("cosine", "euclidean"),
    "binary": ("manhattan",),
}

RAW_SHARES = (0.05, 0.2, 0.4, 0.6)

GRIDS = {
    "whitening": [{"n_components": n} for n in (32, 64, 128, 256, 512)],
    "database-side": [{"k": k, "alpha": 3.0} for k in (2, 5, 10)],
    "query-expansion": [{"k": k, "alpha": alpha} for alpha in (0.0, 3.0) for k in (1, 3, 5, 10)],
    "k-reciprocal": [
        {"k1": k1, "k2": 6, "lambda_": lambda_, "candidates": 200}
        for k1 in (10, 20, 40)
        for lambda_ in (0.1, 0.3, 0.6)
    ],
}

# What contrastive heads are called; `heads.CONTRASTIVE_HEADS` says what each of them is.
CONTRASTIVE_KINDS = ("supervised", "hybrid", "triplet", "multi-attribute")

# Joined embeddings by name: the precision@10 by colour that validation products must reach.
JOINS: dict[str, float | None] = {"joined": None, "type-first": 0.57}

# What is taken out of the joined embedding, to see what it gives.
TAKEN_OUT = {
    "without-colour": ("baseColour",),
    "type-alone": ("baseColour", "gender", "usage", "stored"),
}


def attribute_groups(models: Sequence[str], seeds: Sequence[int]) -> dict[str, list[str]]:
    """The retrieval records of the joined embeddings, seeds of one kind together.

    Args:
        models: the names of the stored embeddings that the heads saw.
        seeds: of the heads.

    Returns:
        Names of records by what to call the group in a table.
    """
    heads = [head_name("attributes-final", models, seed) for seed in seeds]
    everyone = head_name("attributes-final", models, *seeds)
    groups = {}
    for what in JOINS:
        groups[what] = [short_name(head, what, "cosine") for head in heads]
        groups[f"{what}, seeds averaged"] = [short_name(everyone, what, "cosine")]
    taken_out = {
        f"joined, {name.replace('-', ' ')}": [short_name(heads[0], name, "cosine")]
        for name in TAKEN_OUT
    }
    return groups | taken_out


def baseline_models(second: str) -> list[str]:
    """The pretrained networks of notebook 02, resized and padded.

    Args:
        second: beside MobileNetV2, with its image size, such as `resnet50-224`.
    """
    networks = ("mobilenetv2-128", second)
    return [f"{network}-{way}" for network in networks for way in ("resize", "pad")]


def baseline_runs(second: str) -> list[tuple[str, str]]:
    """Model and measure of notebook 02's experiments: every network and measure, and floors."""
    networks = [(m, measure) for m in baseline_models(second) for measure in MEASURES]
    return [*networks, *((floor, "cosine") for floor in (*FLOORS, "chance"))]


def baseline_pairs(second: str) -> list[tuple[str, str]]:
    """The records that notebook 02 compares query by query: preprocessing, measures, networks."""
    mobilenetv2, mobilenetv2_pad, second, second_pad = baseline_models(second)
    padding = [(mobilenetv2_pad, mobilenetv2), (second_pad, second)]
    pairs = [(f"{pad}-{m}", f"{resize}-{m}") for m in MEASURES for pad, resize in padding]
    for model in (mobilenetv2, second_pad):
        pairs += [(f"{model}-cosine", f"{model}-{other}") for other in MEASURES[1:]]
    # The last is the thesis' own pair of networks: it never padded MobileNetV2's photos.
    return pairs + [(f"{second_pad}-cosine", f"{m}-cosine") for m in (mobilenetv2_pad, mobilenetv2)]


def similarity_pairs(*models: str) -> list[tuple[str, str]]:
    """The records that notebook 03 compares: each measure and transform with the raw cosine."""
    pairs = []
    for model in models:
        baseline = f"{model}-cosine"
        pairs += [(f"{model}-{measure}", baseline) for measure in MEASURES if measure != "cosine"]
        pairs += [
            (f"{model}+{transform}-{measure}", baseline)
            for transform, measures in TRANSFORM_RUNS.items()
            for measure in measures
        ]
    return pairs


def comparison_name(first: str, second: str, protocol: str, label: str) -> str:
    """The name of the record that compares two records."""
    first, second = short_name(first), short_name(second)
    return short_name("comparison", label, first, "minus", second, protocol)


def head_name(run: str, models: Sequence[str], *seeds: int) -> str:
    """What a head on stored embeddings is called; heads of several seeds that are averaged, too.

    Args:
        run: such as `dense512`.
        models: the names of the stored embeddings.
        seeds: of the trainings.

    Example:
        >>> head_name("probe", ["resnet50-224-pad"], 20)
        'probe-resnet50-224-pad-seed20'
        >>> head_name("probe", ["resnet50-224-pad"], 20, 21)
        'probe-resnet50-224-pad-seeds20+21'
    """
    return f"{run}-{joint_name(models)}-seed{'s' * (len(seeds) > 1)}{'+'.join(map(str, seeds))}"


def named(metadata: Mapping[str, object], method: str, **parameters: object) -> dict:
    """The metadata of what a method makes of a model.

    Args:
        metadata: of the model.
        method: becomes a part of the name, and of what was done with the embeddings.
        parameters: what else the embeddings depend on.
    """
    done = [metadata["transform"]] if "transform" in metadata else []
    about = {"model": f"{metadata['model']}+{method}", "transform": "+".join([*done, method])}
    return {**metadata, **parameters, **about}


def head_sources(models: Sequence[Any], second: str = "ResNet50") -> dict[str, list[Any]]:
    """Which embeddings each of notebook 04's heads sees, by what to call them.

    Args:
        models: embeddings, or their names: MobileNetV2 resized, perhaps MobileNetV2 padded, and
            the second network.
        second: that network in words.

    Example:
        >>> head_sources(["a", "b"], "Lite0")
        {'MobileNetV2': ['a'], 'Lite0': ['b'], 'both': ['a', 'b']}
    """
    first, *padded, last = models
    sources = {"MobileNetV2": [first], second: [last], "both": [first, last]}
    return sources | ({"all three": [first, *padded, last]} if padded else {})


def cost_groups(
    models: Sequence[str], seeds: Sequence[int], second: str = "ResNet50"
) -> dict[str, list[str]]:
    """The retrieval records of notebook 04's heads, several seeds of one kind together.

    Args:
        models: the names of the stored embeddings, as `head_sources` takes them.
        seeds: of the heads.
        second: the second network in words.

    Returns:
        Names of records by what to call the group in a table; heads are averaged where there are
        several seeds.
    """
    sources = head_sources(models, second)
    most, seen = list(sources.items())[-1]
    first = head_name("dense512", seen, seeds[0])
    everyone = head_name("dense512", seen, *seeds) if len(seeds) > 1 else None

    def posteriors(run: str, of: Sequence[str]) -> list[str]:
        return [short_name(head_name(run, of, seed), "posterior-cosine") for seed in seeds]

    return {
        "MobileNetV2 as it is": [f"{models[0]}-cosine"],
        f"{second} as it is": [f"{models[-1]}-cosine"],
        f"{most} as they are": [f"{joint_name(seen)}-cosine"],
        "probe on both": posteriors("probe", sources["both"]),
        **{f"head on {what}": posteriors("dense512", of) for what, of in sources.items()},
        "its hidden layer": [short_name(first, "hidden-cosine")],
        **({"heads of all seeds": [short_name(everyone, "posterior-cosine")]} if everyone else {}),
        **{
            f"head + {share:.0%} as they are": [short_name(first, f"posterior+raw{share}-cosine")]
            for share in RAW_SHARES
        },
    }


def cost_pairs(groups: Mapping[str, Sequence[str]]) -> list[tuple[str, str, str]]:
    """What notebook 04 compares query by query: two records and a label, from `cost_groups`."""
    called = list(groups)
    hidden = called.index("its hidden layer")
    best, everyone = called[hidden - 1], "heads of all seeds"  # the first sees most
    head = groups[best][0]
    others = [name for name in called[1 : hidden + 1] if name != best]
    pairs = [(head, groups[other][0]) for other in others]
    if everyone in groups:
        pairs.append((groups[everyone][0], head))
    pairs += [(groups[f"head + {s:.0%} as they are"][0], head) for s in RAW_SHARES]
    return [(first, second, "articleType") for first, second in pairs]


def improved_groups(base: str, other: str) -> dict[str, list[str]]:
    """The retrieval records of notebook 08's section on re-ranking, by what to call them.

    Args:
        base: name of the model that is improved.
        other: of the one that is put beside it.
    """
    joined = f"{joint_name([base, other])}+weighted"
    names = {"as it is": base}
    names |= {f"with {method}": f"{base}+{method}" for method in GRIDS}
    names |= {
        "beside the other model": joined,
        "both, whitened": f"{joined}+whitening",
        "both, whitened, with query-expansion": f"{joined}+whitening+query-expansion",
    }
    return {shown: [short_name(name, "cosine")] for shown, name in names.items()}


def improved_pairs(base: str, other: str) -> list[tuple[str, str, str]]:
    """What is compared query by query: two records and a label, each method with none."""
    plain, *improved = [names[0] for names in improved_groups(base, other).values()]
    labels = ("articleType", "baseColour", protocols.GRADED)
    return [(record, plain, label) for record in improved for label in labels]


def contrastive_groups(models: Sequence[str], seeds: Sequence[int]) -> dict[str, list[str]]:
    """The retrieval records of the contrastive heads, seeds of one kind together.

    Args:
        models: the names of the stored embeddings that the heads saw.
        seeds: of the heads.

    Returns:
        Names of records by what to call the group in a table.
    """
    return {
        f"{kind} head": [
            short_name(head_name(kind, models, seed), "projection-cosine") for seed in seeds
        ]
        for kind in CONTRASTIVE_KINDS
    }
