"""Every drawing: of circuits, kernels, orientations, and a union on one page."""
