"""Networks run on images: every unit read at its receptive field's centre, fast."""
