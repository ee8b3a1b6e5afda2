"""BagIt bags and deterministic zips."""
