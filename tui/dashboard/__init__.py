"""What the lead's pages show, as rows of text: pure, so that a row can be looked at in a test."""
