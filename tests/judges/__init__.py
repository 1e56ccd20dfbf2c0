"""Tests of ``judges``."""
