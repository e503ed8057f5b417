"""The errors that a reader can act on.

Each message says in one sentence what was wrong, where, and what to do; the command line
prints it without a traceback.
"""

import difflib
import re
from collections.abc import Iterable


class FashionRirError(Exception):
    """Anything that the reader can mend: a file, a parameter, a missing step."""


class CatalogError(FashionRirError):
    """The catalogue cannot be read as it is."""


class ImageError(FashionRirError):
    """A picture cannot be read."""


class ShippedError(FashionRirError):
    """A file that travels with the project is missing, or is not the one that was shipped."""


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
        >>> print(unknown_name("profile", "qiuck", ["full", "quick"]))
        Unknown profile 'qiuck'; did you mean 'quick'? Known: full, quick.
    """
    known = list(known)
    by_lower_case = {one.lower(): one for one in known}  # 'men' is nearer to 'Men' than to 'Women'
    near = difflib.get_close_matches(str(name).lower(), by_lower_case, n=1, cutoff=0.0)
    hint = f"; did you mean {by_lower_case[near[0]]!r}?" if near else "."
    return ParameterError(f"Unknown {what} {name!r}{hint} Known: {', '.join(known)}.")


# What a message of the network says, and what that means to the reader.
NETWORK_FAULTS = {
    "CERTIFICATE_VERIFY_FAILED|SSLCertVerification|certificate verify failed|self.signed cert":
        "the server's certificate is none that this machine trusts; name your network's "
        "certificates in SSL_CERT_FILE, or fetch the file by a browser",
    "WRONG_VERSION_NUMBER|SSLError|SSLEOFError|TLSV1": "the encrypted connection was broken; is "
        "there a proxy between?",
    "407|Proxy Authentication|ProxyError": "a proxy refused; name it in HTTPS_PROXY",
    r"\b(401|403)\b|Unauthorized|Forbidden":
        "the server refused; sign in there, or accept its terms",
    r"\b404\b": "the server has no such file",
    r"\b429\b|Too Many Requests": "the server was asked too often; wait a while",
    "timed? ?out|Timeout": "the server did not answer in time",
    "No space left|Errno 28": "the disk is full",
    "hash|checksum|incomplete|IncompleteRead": "the file arrived damaged",
}  # fmt: skip


def network_fault(error: BaseException) -> str | None:
    """What an error of a download means, looked for in the errors behind it too.

    Example:
        >>> network_fault(Exception("URL fetch failure: [SSL: CERTIFICATE_VERIFY_FAILED]"))[:24]
        "the server's certificate"
    """
    chain, texts = [error], []
    while chain and len(texts) < 20:
        one = chain.pop()
        texts.append(f"{type(one).__name__}: {one}")
        reason = getattr(one, "reason", None)
        behind = (one.__cause__, one.__context__, reason, *one.args)
        chain += [other for other in behind if isinstance(other, BaseException)]
    text = "\n".join(texts)
    known = (meaning for pattern, meaning in NETWORK_FAULTS.items() if re.search(pattern, text))
    return next(known, None)
