"""Rooms whose modules are loaded when they are first asked for, as notebooks do."""

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType


def lazy_room(
    package: str, shown: Mapping[str, str] = MappingProxyType({})
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package; then `from fashion_rir import data` is enough.

    Args:
        package: its full name.
        shown: names that stand in one of its modules and are had from the package itself, such as
            `{"open_study": "study"}`.

    Example:
        >>> from fashion_rir import evaluation
        >>> evaluation.metrics.__name__
        'fashion_rir.evaluation.metrics'
    """

    def load(name: str) -> object:
        if name in shown:
            return getattr(importlib.import_module(f"{package}.{shown[name]}"), name)
        module = f"{package}.{name}"
        if name.startswith("_") or importlib.util.find_spec(module) is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return importlib.import_module(module)

    def names() -> list[str]:
        room = sys.modules[package]
        modules = {module.name for module in pkgutil.iter_modules(room.__path__)}
        return sorted({*vars(room), *modules, *shown})

    return load, names
