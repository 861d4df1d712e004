"""A network run with some of its edges alone: all others give what they give on average."""
