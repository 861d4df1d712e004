"""Questions as values: the catalogue of Cypher questions, and criteria that compose."""
