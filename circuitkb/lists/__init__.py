"""Lists of a knowledge base that run when their rows are wanted."""
