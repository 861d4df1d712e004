"""Small networks with planted circuits: what a search for circuits should find is known.

Tutorials and benchmarks use them too; ``planted_network`` is in
:mod:`circuitkb.loaders.planted.networks`, ``write_onnx`` in
:mod:`circuitkb.loaders.planted.onnx_files`.
"""
