"""Composed kernels checked against the network itself; no code is shared with the rules."""
