"""Event-driven agents that find signals; they have never heard of Discord."""
