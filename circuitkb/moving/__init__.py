"""Whole knowledge bases, or single models, from one store into another, or into files."""
