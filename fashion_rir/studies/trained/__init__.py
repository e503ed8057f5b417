"""Experiments that train: heads, networks end to end, views."""

from fashion_rir.lazy_rooms import lazy_room

__getattr__, __dir__ = lazy_room(__name__)
