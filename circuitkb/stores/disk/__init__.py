"""Files of a store: made whole or not at all, and only its own removed."""
