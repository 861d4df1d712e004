"""The catalogue of questions, and the reader that takes a sentence to one of them."""
