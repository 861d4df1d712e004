"""Knowledge bases as files, and back."""
