"""Controls as content, the engine that runs them, and the algebra of findings."""
