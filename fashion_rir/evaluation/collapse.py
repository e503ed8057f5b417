"""Signs that a training came to nothing, so that its scores say nothing of its method.

A collapsed network gives nearly the same embedding to everything. Its ranking is then made of
rounding, and a comparison with it compares nothing.
"""

from collections.abc import Mapping

MOST_ALIKE = 2 / 3  # share of random pairs above a similarity of 0.95

LEAST_ACCURACY = 0.02  # of a classifier of more than a hundred classes


def signs_of_collapse(
    similarity: Mapping[str, float] | None = None, accuracy: Mapping[str, float] | None = None
) -> list[str]:
    """What speaks for a collapse, in words; nothing where nothing does.

    Args:
        similarity: of random pairs, from `scoring.similarity_spread`; None where not measured.
        accuracy: of the classifier, with `micro`; None where there is none.

    Example:
        >>> signs_of_collapse({"median": 0.99, "above 0.95": 0.9})
        ['90 % of random pairs have a similarity above 0.95']
        >>> signs_of_collapse({"median": 0.1, "above 0.95": 0.0}, {"micro": 0.7})
        []
    """
    signs = []
    alike = (similarity or {}).get("above 0.95", 0.0)
    if alike >= MOST_ALIKE:
        signs.append(f"{100 * alike:.0f} % of random pairs have a similarity above 0.95")
    right = (accuracy or {}).get("micro", 1.0)
    if right <= LEAST_ACCURACY:
        signs.append(f"the classifier is right about {100 * right:.1f} % of the products")
    return signs
