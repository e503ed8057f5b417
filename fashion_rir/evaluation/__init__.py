"""Metrics, protocols, rankings, thresholds, intervals, separation."""
