"""What files are called: short enough for every file system, as fields say what it is about.

A name is made by these functions alone, for writing and for reading, and never taken apart.
"""

from collections.abc import Sequence

from fashion_rir.system import sha256_of

LONGEST = 55  # a record's file has `.json` behind it


def short_name(*about: object) -> str:
    """The name of a record, store or map.

    Args:
        about: what it is and of what, such as a kind and a model's name.

    Returns:
        What it is about, joined by hyphens; what is longer than `LONGEST` ends in a hash of the
        whole instead.

    Example:
        >>> short_name("audit", "resnet50-224-pad")
        'audit-resnet50-224-pad'
        >>> short_name("pairs", "a-head-on-many-embeddings", "seed20", "as-it-was-trained-first")
        'pairs-a-head-on-many-embeddings-seed20-as-it-was-649a69'
    """
    name = "-".join(map(str, about))
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 7].rstrip('+-.')}-{sha256_of(name)[:6]}"


def joint_name(names: Sequence[object]) -> str:
    """What embeddings side by side are called: one by its name, several by their number.

    Example:
        >>> joint_name(["mobilenetv2-128-resize", "resnet50-224-pad"])
        '2-sources-ca96'
    """
    names = [str(name) for name in names]
    return names[0] if len(names) == 1 else f"{len(names)}-sources-{sha256_of('+'.join(names))[:4]}"
