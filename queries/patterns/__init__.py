"""Motif patterns: their language, the value, its Cypher."""
