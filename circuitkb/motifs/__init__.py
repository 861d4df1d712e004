"""Search for circuits over every edge of a model, each finding with its null.

A motif is a value (:mod:`~circuitkb.motifs.motif`); the registry has those that there are. It is
tested by what the units of an observed model respond to
(:mod:`~circuitkb.motifs.by_responses.find`), or by kernels alone
(:mod:`~circuitkb.motifs.by_kernels.find`). ``docs/discovery.md`` says what either can tell.
"""
