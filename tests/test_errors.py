"""errors: one sentence that names the value and what to do."""

import re
import ssl
from urllib.error import URLError

import pytest

from fashion_rir import errors
from fashion_rir.errors import network_fault


def test_unknown_name_offers_the_nearest_known_one():
    error = errors.unknown_name("backbone", "resnet5O", ["mobilenetv2", "resnet50", "vgg16"])
    assert str(error) == (
        "Unknown backbone 'resnet5O'; did you mean 'resnet50'? Known: mobilenetv2, resnet50, vgg16."
    )


def test_unknown_name_without_any_known_one_makes_no_offer():
    assert "did you mean" not in str(errors.unknown_name("profile", "quick", []))


def test_unknown_name_does_not_look_at_upper_and_lower_case():
    assert "did you mean 'Men'?" in str(errors.unknown_name("gender", "men", ["Women", "Men"]))


def test_unknown_name_takes_names_that_are_no_text():
    assert "Unknown measure 7" in str(errors.unknown_name("measure", 7, ["cosine"]))


def test_unknown_name_reads_an_iterator_only_once():
    assert "Known: cosine." in str(errors.unknown_name("measure", "cosin", iter(["cosine"])))


@pytest.mark.parametrize(
    "kind",
    [
        errors.CatalogError,
        errors.ImageError,
        errors.WeightsError,
        errors.StoreError,
        errors.RecordError,
        errors.ParameterError,
    ],
)
def test_the_command_line_can_catch_every_error_as_one_type(kind):
    assert issubclass(kind, errors.FashionRirError)


def test_a_parameter_error_is_a_value_error_for_callers_who_do_not_know_it():
    assert issubclass(errors.ParameterError, ValueError)


def chained(*errors: Exception) -> Exception:
    """The last of some errors, each raised while the one before was handled."""
    for outer, inner in zip(errors[1:], errors, strict=False):
        outer.__cause__ = inner
    return errors[-1]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Exception("URL fetch failure on https://x: None -- [SSL: CERTIFICATE_VERIFY_FAILED] c"),
         "no(ne|t) .*trusts.*SSL_CERT_FILE"),
        (chained(ssl.SSLCertVerificationError("self-signed"), OSError("x"), Exception("y")),
         "SSL_CERT_FILE"),
        (URLError(ssl.SSLCertVerificationError(1, "unable to get local issuer certificate")),
         "SSL_CERT_FILE"),
        (Exception("403 Client Error: Forbidden"), "the server refused"),
        (Exception("407 Proxy Authentication Required"), "HTTPS_PROXY"),
        (TimeoutError("The read operation timed out"), "did not answer in time"),
        (chained(OSError(28, "No space left on device"), Exception("x")), "the disk is full"),
        (Exception("Incomplete or corrupted file: hash does not match"), "arrived damaged"),
    ],
)  # fmt: skip
def test_a_fault_of_the_network_is_said_in_words(error, words):
    assert re.search(words, network_fault(error))


def test_a_fault_that_nobody_knows_is_none():
    assert network_fault(OSError("Name or service not known")) is None
    assert network_fault(ValueError()) is None
