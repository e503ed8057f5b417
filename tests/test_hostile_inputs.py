"""Every damaged or hostile input gives its one sentence, or is read as what it is."""

import re
import warnings
from pathlib import Path

import pytest
from hostile_inputs import READ, Case, cases

from fashion_rir.errors import FashionRirError

CASES = cases()


def test_there_are_250_different_cases_and_more():
    assert len({case.name for case in CASES}) == len(CASES) >= 250


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_input_gives_one_clear_sentence_or_is_read(case: Case, tmp_path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if case.message is READ:
            case.use(tmp_path)
            return
        with pytest.raises(FashionRirError) as caught:
            case.use(tmp_path)
    message = str(caught.value)
    assert re.search(case.message, message)
    assert "\n" not in message
    assert len(message) < 500
