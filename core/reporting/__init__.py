"""A study's numbers as one document: what it says, and how it is written as HTML and Markdown."""
