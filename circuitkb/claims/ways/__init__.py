"""The tests that a claim's prediction may name, one module a kind."""
