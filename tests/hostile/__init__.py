"""Hostile text against every surface: what is shown, to whom, and what a terminal got for it."""
