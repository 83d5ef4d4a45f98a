"""Samples made on the fly: bodies, hands, pictures, as detectors see them. Each is a function of (seed, step, rank)."""
