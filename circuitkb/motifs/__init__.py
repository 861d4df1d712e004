"""Search for circuits over every edge of a model, each finding with its null.

:mod:`~circuitkb.motifs.by_responses.find` reads what the units of an observed model answered;
:mod:`~circuitkb.motifs.union` reads kernels alone. ``docs/discovery.md`` says what either can
and cannot tell.
"""
