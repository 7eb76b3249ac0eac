"""Documents, the programs that draw and check parts of them, and their examples."""
