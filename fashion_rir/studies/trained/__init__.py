"""Experiments that train: heads, networks end to end, views."""
