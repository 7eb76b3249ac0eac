"""One file per command group: parse, check, acknowledge, ask; nothing else."""
