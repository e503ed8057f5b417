"""What notebook 08 trains on stored embeddings, and how its tables group the records."""

from collections.abc import Mapping, Sequence

from fashion_rir.contrastive_heads import Objective

# Contrastive heads by kind: the objective, and the labels that it looks at.
CONTRASTIVE_HEADS: dict[str, tuple[Objective, tuple[str, ...]]] = {
    "supervised": (Objective("supervised"), ("articleType",)),
    "hybrid": (Objective("hybrid"), ("articleType",)),
    "triplet": (Objective("triplet"), ("articleType",)),
    "multi-attribute": (
        Objective("multi_attribute", shares=(0.6, 0.3, 0.1)),
        ("articleType", "baseColour", "gender"),
    ),
}
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
    head = f"attributes-final-{'+'.join(models)}"
    everyone = f"{head}-seeds{'+'.join(map(str, seeds))}"
    groups = {}
    for what in JOINS:
        groups[what] = [f"{head}-seed{seed}-{what}-cosine" for seed in seeds]
        groups[f"{what}, seeds averaged"] = [f"{everyone}-{what}-cosine"]
    taken_out = {
        f"joined, {name.replace('-', ' ')}": [f"{head}-seed{seeds[0]}-{name}-cosine"]
        for name in TAKEN_OUT
    }
    return groups | taken_out


def contrastive_groups(models: Sequence[str], seeds: Sequence[int]) -> dict[str, list[str]]:
    """The retrieval records of the contrastive heads, seeds of one kind together.

    Args:
        models: the names of the stored embeddings that the heads saw.
        seeds: of the heads.

    Returns:
        Names of records by what to call the group in a table.
    """
    joint = "+".join(models)
    return {
        f"{kind} head": [f"{kind}-{joint}-seed{seed}-projection-cosine" for seed in seeds]
        for kind in CONTRASTIVE_HEADS
    }


def joined_pairs(
    groups: Mapping[str, Sequence[str]], others: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    """What notebook 08 compares query by query with the joined embedding of the first seed.

    Args:
        groups: from `attribute_groups`.
        others: names of records by what to call them, such as the pretrained network.

    Returns:
        Two records and a label each, by type, colour and all attributes together.
    """
    first = groups["joined"][0]
    labels = ("articleType", "baseColour", "graded")
    return [(first, other, label) for other in others.values() for label in labels]
