"""The errors that a reader can act on.

Each message says in one sentence what was wrong, where, and what to do; the command line
prints it without a traceback.
"""

import difflib
from collections.abc import Iterable


class FashionRirError(Exception):
    """Anything that the reader can mend: a file, a parameter, a missing step."""


class CatalogError(FashionRirError):
    """The catalogue cannot be read as it is."""


class ImageError(FashionRirError):
    """A picture cannot be read."""


class WeightsError(FashionRirError):
    """Pretrained weights are missing, or are not what they are said to be."""


class StoreError(FashionRirError):
    """A feature store cannot be read, or belongs to another model."""


class TrainingError(FashionRirError):
    """A training stopped, or what it left behind cannot be used."""


class ClusterError(FashionRirError):
    """Workers on several machines cannot do the work, or were lost."""


class RecordError(FashionRirError):
    """A result record is missing or does not fit its neighbours."""


class ParameterError(FashionRirError, ValueError):
    """A parameter is outside its allowed values."""


def check_seed(seed: int) -> None:
    """Refuse a seed that NumPy's older generators and Keras would not take.

    Raises:
        ParameterError: it is below 0, or 2^32 or more.
    """
    if not 0 <= seed < 2**32:
        raise ParameterError(f"The seed must be 0 or more and below 2^32, not {seed}.")


def unknown_name(what: str, name: object, known: Iterable[str]) -> ParameterError:
    """An error for a name that does not exist, with the nearest one that does.

    Example:
        >>> print(unknown_name("profile", "dmeo", ["demo", "full"]))
        Unknown profile 'dmeo'; did you mean 'demo'? Known: demo, full.
    """
    known = list(known)
    by_lower_case = {one.lower(): one for one in known}  # 'men' is nearer to 'Men' than to 'Women'
    near = difflib.get_close_matches(str(name).lower(), by_lower_case, n=1, cutoff=0.0)
    hint = f"; did you mean {by_lower_case[near[0]]!r}?" if near else "."
    return ParameterError(f"Unknown {what} {name!r}{hint} Known: {', '.join(known)}.")
