"""What notebook 08 trains on stored embeddings, and how its tables group the records."""

from collections.abc import Mapping, Sequence

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


def baseline_models(resnet50_image_size: int) -> list[str]:
    """The pretrained networks of notebook 02, resized and padded."""
    networks = ("mobilenetv2-128", f"resnet50-{resnet50_image_size}")
    return [f"{network}-{way}" for network in networks for way in ("resize", "pad")]


def baseline_runs(resnet50_image_size: int) -> list[tuple[str, str]]:
    """Model and measure of notebook 02's experiments: every network and measure, and floors."""
    networks = [(m, measure) for m in baseline_models(resnet50_image_size) for measure in MEASURES]
    return [*networks, *((floor, "cosine") for floor in (*FLOORS, "chance"))]


def baseline_pairs(resnet50_image_size: int) -> list[tuple[str, str]]:
    """The records that notebook 02 compares query by query: preprocessing, measures, networks."""
    mobilenetv2, mobilenetv2_pad, resnet50, resnet50_pad = baseline_models(resnet50_image_size)
    padding = [(mobilenetv2_pad, mobilenetv2), (resnet50_pad, resnet50)]
    pairs = [(f"{pad}-{m}", f"{resize}-{m}") for m in MEASURES for pad, resize in padding]
    for model in (mobilenetv2, resnet50_pad):
        pairs += [(f"{model}-cosine", f"{model}-{other}") for other in MEASURES[1:]]
    # The last is the thesis' own pair of networks: it never padded MobileNetV2's photos.
    return pairs + [
        (f"{resnet50_pad}-cosine", f"{m}-cosine") for m in (mobilenetv2_pad, mobilenetv2)
    ]


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


def cost_groups(models: Sequence[str], seeds: Sequence[int]) -> dict[str, list[str]]:
    """The retrieval records of notebook 04's heads, several seeds of one kind together.

    Args:
        models: the names of the stored embeddings: MobileNetV2 resized and padded, ResNet50 padded.
        seeds: of the heads.

    Returns:
        Names of records by what to call the group in a table.
    """
    resized, padded, resnet50 = models
    both, all_three = [resized, resnet50], [resized, padded, resnet50]
    first = head_name("dense512", all_three, seeds[0])

    def posteriors(run: str, sources: Sequence[str]) -> list[str]:
        return [short_name(head_name(run, sources, seed), "posterior-cosine") for seed in seeds]

    return {
        "MobileNetV2 as it is": [f"{resized}-cosine"],
        "ResNet50 as it is": [f"{resnet50}-cosine"],
        "all three as they are": [f"{joint_name(all_three)}-cosine"],
        "probe on both": posteriors("probe", both),
        "head on MobileNetV2": posteriors("dense512", [resized]),
        "head on ResNet50": posteriors("dense512", [resnet50]),
        "head on both": posteriors("dense512", both),
        "head on all three": posteriors("dense512", all_three),
        "its hidden layer": [short_name(first, "hidden-cosine")],
        "heads of all seeds": [
            short_name(head_name("dense512", all_three, *seeds), "posterior-cosine")
        ],
        **{
            f"head + {share:.0%} as they are": [short_name(first, f"posterior+raw{share}-cosine")]
            for share in RAW_SHARES
        },
    }


def cost_pairs(groups: Mapping[str, Sequence[str]]) -> list[tuple[str, str, str]]:
    """What notebook 04 compares query by query: two records and a label, from `cost_groups`."""
    head = groups["head on all three"][0]
    others = ("ResNet50 as it is", "all three as they are", "probe on both", "head on MobileNetV2",
              "head on ResNet50", "head on both", "its hidden layer")  # fmt: skip
    pairs = [(head, groups[other][0]) for other in others]
    pairs.append((groups["heads of all seeds"][0], head))
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
