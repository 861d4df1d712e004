"""A network shown a folder of pictures: the best of each unit, and what classes it answers to."""
