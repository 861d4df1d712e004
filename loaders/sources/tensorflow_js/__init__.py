"""Networks of TensorFlow.js: a ``model.json`` and files of weights beside it."""
