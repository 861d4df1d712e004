"""Knowledge bases copied from one store into another."""
