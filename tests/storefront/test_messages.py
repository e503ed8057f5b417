"""messages: nothing that a browser sends is trusted, and what is refused gets a sentence."""

import pytest
from drawn_shop import MODEL
from hypothesis import given
from hypothesis import strategies as st

from fashion_rir.errors import ParameterError
from fashion_rir.storefront import messages

SETTINGS = {"model": MODEL}


def test_a_search_has_the_defaults_of_what_is_not_said_and_ignores_what_nobody_asks():
    asked = messages.read({"kind": "search", "settings": SETTINGS, "jump": True}, [MODEL])
    assert (asked.product, asked.box) == (None, None)
    chosen = asked.settings
    assert (chosen.measure, chosen.n_results, chosen.page) == ("cosine", 12, 0)
    assert (chosen.threshold, chosen.wanted) == (None, {})


def test_a_photo_is_called_by_its_name_without_the_folders():
    assert messages.read({"kind": "upload", "name": "C:\\x\\../shoe.jpg"}, []).name == "shoe.jpg"
    assert len(messages.read({"kind": "upload", "name": "x" * 500}, []).name) == 80


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "../x"}, "Unknown model '../x'"),
        ({"measure": "cosin"}, "did you mean 'cosine'"),
        ({"n_results": 10_000}, "A page shows"),
        ({"page": -1}, "There are pages"),
        ({"page": 0.5}, "There are pages"),
        ({"threshold": "near"}, "A threshold is a distance"),
        ({"threshold": float("nan")}, "A threshold is a distance"),
        ({"threshold": True}, "A threshold is a distance"),
        ({"threshold": 10**400}, "A threshold is a distance"),
        ({"wanted": [1]}, "filters are texts by attribute"),
        ({"wanted": {"price": "1"}}, "Unknown filter 'price'"),
        ({"wanted": {"gender": ["Men"]}}, "texts by attribute, but gender is"),
    ],
)
def test_a_setting_that_is_not_allowed_is_refused(change, message):
    with pytest.raises(ParameterError, match=message):
        messages.read({"kind": "search", "settings": {"model": MODEL} | change}, [MODEL])


@pytest.mark.parametrize("chosen", [None, "model", {}, {"model": None}, {"model": 10**400}])
def test_settings_that_are_no_settings_are_refused(chosen):
    with pytest.raises(ParameterError, match="settings|model"):
        messages.read({"kind": "search", "settings": chosen}, [MODEL])


@pytest.mark.parametrize(
    "box", [(0, 0, 1), "left", (0.5, 0, 0.5, 1), (0, 0, 1.1, 1), (0, 0, 0.01, 1), (None,) * 4,
            (0, 0, float("nan"), 1)]
)  # fmt: skip
def test_a_box_that_is_none_is_refused(box):
    with pytest.raises(ParameterError, match="draw it again"):
        messages.read({"kind": "search", "settings": SETTINGS, "box": box}, [MODEL])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(MODEL),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
)
FIELDS = ("product", "box", "text", "seed", "name", "request")
CHOICES = ("model", "measure", "n_results", "page", "threshold", "wanted")


@given(
    st.sampled_from(["search", "csv", "map", "picks", "upload"]) | anything,
    st.dictionaries(st.sampled_from(FIELDS), anything),
    st.dictionaries(st.sampled_from(CHOICES), anything) | anything,
)
def test_whatever_is_sent_is_read_or_refused_in_a_sentence(kind, content, settings):
    try:
        messages.read({"kind": kind, "settings": settings, **content}, [MODEL])
    except ParameterError as error:
        assert str(error).endswith(".")
        assert len(str(error)) < 500
