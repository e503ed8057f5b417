"""Experiments on pretrained networks and on descriptors that learn nothing."""
