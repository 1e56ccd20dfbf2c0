"""Adjudication: which pairs a lead should rule on, in which order, and what is shown of them."""
