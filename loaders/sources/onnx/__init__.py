"""ONNX files: what may be read of them, and the torch modules that they become."""
