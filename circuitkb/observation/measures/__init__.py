"""What the responses of a unit say of it, each measure with its null."""
