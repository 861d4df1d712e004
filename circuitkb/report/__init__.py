"""What was found, as one page of Markdown: every figure read or counted in the knowledge base.

:mod:`~circuitkb.report.report` puts the sections together; each has a module of its own.
"""
