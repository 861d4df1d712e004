"""``python -m circuitkb``: the command line."""

from circuitkb.cli import main

if __name__ == "__main__":
    main()
