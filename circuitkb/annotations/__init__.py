"""What people say: merged, in conflict, agreed upon, and shared."""
