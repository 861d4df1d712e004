"""Search for circuits over every edge of a model, each finding with its null.

:mod:`~circuitkb.discovery.measured` reads what the units of an observed model answered;
:mod:`~circuitkb.discovery.union` reads kernels alone. ``docs/discovery.md`` says what either can
and cannot tell.
"""
