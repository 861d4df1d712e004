"""Search for circuits in whole arrays of kernels, each finding with its null.

:mod:`~circuitkb.discovery.union` holds the first motif; ``docs/discovery.md`` says what it can
and cannot tell.
"""
