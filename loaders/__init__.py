"""The outside world to rows of the graph: network weights, published circuits."""
