"""Samples made on the fly: bodies, hands, pictures, as detectors see them: functions of (seed, step, stream)."""
