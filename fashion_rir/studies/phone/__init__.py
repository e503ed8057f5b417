"""From a shopper's phone photo to the shop: what the way costs, and what closes the gap."""

from fashion_rir.lazy_rooms import lazy_room

__getattr__, __dir__ = lazy_room(__name__)
