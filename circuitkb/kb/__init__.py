"""The facade: a knowledge base in Python, one module a verb."""
