"""Where an answer goes: the interaction that asked, or a channel."""
