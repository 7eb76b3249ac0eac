"""Scoring, deduplicating and merging: pure functions over signals."""
