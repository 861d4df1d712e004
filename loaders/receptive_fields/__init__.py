"""Where each unit looks at the image, and which images show it that."""
