"""One HTTP client for every source: address guard, size caps, deadlines, validators."""
