"""The kinds of SOURCE, one module each."""
