"""Kernels, responses and pictures beside the graph, in files named by their content."""
