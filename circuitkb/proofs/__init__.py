"""Statements about small circuits, decided over a box: a proof, a counterexample, or neither."""
