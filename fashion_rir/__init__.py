"""Reverse image search in a fashion catalogue: the package behind the notebooks."""

__version__ = "0.1.0"
