"""A graph-database knowledge base of the circuits inside neural networks."""
