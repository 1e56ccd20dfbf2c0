"""Tests of ``tui``."""
