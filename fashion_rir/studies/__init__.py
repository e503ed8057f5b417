"""The experiments of the notebooks, and what they share."""

from fashion_rir.lazy_rooms import lazy_room

__getattr__, __dir__ = lazy_room(__name__, {"open_study": "study"})
