"""Protocols beyond recorded motion: what networks make of everyday poses."""
