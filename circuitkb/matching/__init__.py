"""Which features and circuits of two models play the same part, by their responses.

``docs/matching.md`` says what counts as a match, what it is compared with, and what it cannot tell.
"""
