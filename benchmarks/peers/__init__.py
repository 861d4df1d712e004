"""The same questions to graph engines and to their peers: see :mod:`peers.questions`."""
