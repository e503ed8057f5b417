"""Metrics, protocols, rankings, thresholds, intervals, separation."""

from fashion_rir.lazy_rooms import lazy_room

__getattr__, __dir__ = lazy_room(__name__)
