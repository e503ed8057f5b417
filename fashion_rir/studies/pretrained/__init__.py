"""Experiments on pretrained networks and on descriptors that learn nothing."""

from fashion_rir.lazy_rooms import lazy_room

__getattr__, __dir__ = lazy_room(__name__)
