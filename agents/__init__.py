"""Event-driven agents that find signals; they have never heard of Discord."""

__version__ = "0.1.0"
