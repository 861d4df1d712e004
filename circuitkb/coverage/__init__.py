"""How much of a network circuits, labels or strong edges explain, and what hides in the rest."""
