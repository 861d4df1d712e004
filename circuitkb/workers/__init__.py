"""Work on many models: in this process, in several, or on a cluster; what it gives is the same.

:mod:`~circuitkb.workers.tasks` says what is asked and :mod:`~circuitkb.workers.choosing` who does
it. Workers compose, observe, search and compare; they hand back rows as files, and whoever asked
is the only one that writes, in the order in which it asked.
"""
