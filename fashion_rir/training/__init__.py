"""Fitting, heads, losses, samplers, augmentation, and networks that are trained here."""

from fashion_rir.lazy_rooms import lazy_room

__getattr__, __dir__ = lazy_room(__name__)
