"""The drawn catalogue: what tests use, and where a known answer teaches."""
