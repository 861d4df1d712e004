"""Patterns over every weight of a network, joined column by column."""
