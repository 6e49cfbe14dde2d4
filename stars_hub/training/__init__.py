"""How objectives and classifiers are trained: freezing, groups, schedules, clipping, the loop."""
