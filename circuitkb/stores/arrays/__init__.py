"""Kernels and responses beside the graph, in files named by their content."""
