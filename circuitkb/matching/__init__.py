"""Which features and circuits of two models play the same part, by what they answer to.

``docs/matching.md`` says what counts as a match, what it is held against, and what it cannot tell.
"""
