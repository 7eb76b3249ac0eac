"""What the bot remembers, in its database."""
