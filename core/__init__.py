"""What votes mean. Pure: no SQL, no network, no screen, no clock or chance of its own."""
