"""Circuit breaker, retry, limits and cache, and the one place where they are stacked around a fetch."""
