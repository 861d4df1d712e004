"""Motifs tested by kernels alone, as published circuits allow."""
