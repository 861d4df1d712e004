"""Images that units answer to most, by optimisation."""
