"""Small networks with planted circuits: what a search for circuits should find in them is known."""
