"""The proofs; one folder for each room."""
