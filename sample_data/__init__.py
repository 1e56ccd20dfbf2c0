"""A small study written for Tiebreak."""
