"""The image that a unit answers to most, beside its control: made, kept, shown."""

STEPS = 128
"""How often an image is moved: nearly all units are then where they stay."""
