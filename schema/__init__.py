"""The vocabulary: ids, the definition of the graph, tables of rows, JSON Schemas, errors.

This room imports nothing of ours.
"""
