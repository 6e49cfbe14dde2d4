"""How objectives and classifiers are trained: what is frozen, parameter groups, schedules, clipping, the loop."""
