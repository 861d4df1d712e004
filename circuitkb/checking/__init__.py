"""Whether a knowledge base is what was written, all of it; and what can be mended."""
