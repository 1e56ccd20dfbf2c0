"""The only room a person touches."""
