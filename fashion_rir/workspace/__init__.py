"""Folders, parameters of a profile, feature stores, records, and tables made of them."""

from fashion_rir.lazy_rooms import lazy_room

__getattr__, __dir__ = lazy_room(__name__)
