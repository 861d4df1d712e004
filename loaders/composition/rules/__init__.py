"""What each operation does to a linear form, one module a kind of operation."""
