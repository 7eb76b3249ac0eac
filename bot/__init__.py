"""Discord in front of the agents."""
