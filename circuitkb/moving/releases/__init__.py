"""Releases: a knowledge base as files that never change, with hashes, licences and a citation."""
