"""limits: what the benchmarks are set beside."""

import limits
import numpy as np


def test_the_peak_is_not_below_what_one_product_reaches():
    matrix = np.random.default_rng(1).random((512, 512), dtype=np.float32)
    reached = 2 * 512**3 / limits.seconds_of(lambda: matrix @ matrix)
    assert limits.peak_flops() > 0.3 * reached  # the machine may have become slower since


def test_the_processor_is_named_with_its_instructions():
    name, _, instructions = limits.processor().rpartition(", ")
    assert name and instructions
