"""What a SOURCE may be, one module a kind: each opens as a network, with its name and identity."""
