"""From a traced network to exact kernels between layers of features, and their rows."""
