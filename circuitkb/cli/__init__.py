"""The command line. It calls the facade and nothing below it."""

from circuitkb.cli.app import main

__all__ = ["main"]
