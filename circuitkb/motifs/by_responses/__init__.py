"""Motifs tested by what the units of a model respond to."""
