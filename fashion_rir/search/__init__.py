"""Gallery, indexes, shards, re-ranking, transforms, boxes in a photo."""

from fashion_rir.lazy_rooms import lazy_room

__getattr__, __dir__ = lazy_room(__name__)
