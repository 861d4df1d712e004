"""Conway's Game of Life as a network made by hand, and a catalogue of its patterns."""
