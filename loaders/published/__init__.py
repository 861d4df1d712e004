"""Folders of published circuits: read, checked, and as rows of the graph."""
