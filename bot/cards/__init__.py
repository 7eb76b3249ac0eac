"""What people read: events and answers made into messages, inside every limit that Discord has. Pure."""
