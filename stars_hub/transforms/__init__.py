"""Batched tensor functions: crop, resample, rotate, centre, streams; randomness is an argument."""
