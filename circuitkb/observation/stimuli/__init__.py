"""The battery of stimuli: what it shows, and how each is drawn."""
