"""Trials: what the knowledge base says of a network, predicted, run on the edited network, kept."""
