"""Lists of things as values that compose and become Cypher."""
