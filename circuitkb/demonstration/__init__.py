"""The demo: the main job once, from end to end, with what it prints and the figure it draws."""
