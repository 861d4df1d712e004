"""Statements about networks that can fail: read, kept, tested, compared and shared."""
