"""Proofs of the numbers: one table that says of every statistic why it can be believed."""
