"""Reverse image search in a fashion catalogue: the package behind the notebooks."""

import logging
import os

__version__ = "0.1.0"

# Read when TensorFlow is loaded. On processors without AVX-512 it leaves its faster kernels
# (oneDNN) off, without which training takes more than twice as long.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# Each network that embeds is traced once; TensorFlow takes several networks for one traced anew,
# and says so among a notebook's results. A filter stays when TensorFlow, loaded, sets the level.
logging.getLogger("tensorflow").addFilter(lambda record: record.levelno >= logging.ERROR)
