"""A network run with edges changed or features ablated: many edits, each on images of its own."""
