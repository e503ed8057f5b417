"""Draws what it is given: plots, maps, widgets."""
