"""The code of the guides, run by tests so that it stays true."""
