"""Networks with planted circuits of several kinds, each kind with decoys, and dials."""
