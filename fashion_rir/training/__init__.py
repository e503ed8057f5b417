"""Fitting, heads, losses, samplers, augmentation, and networks that are trained here."""
