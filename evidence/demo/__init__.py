"""A generated health carrier with planted deviations and its answer key."""
