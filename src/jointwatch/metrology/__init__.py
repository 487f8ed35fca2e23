"""Ground truth as a measuring machine finds it: sphere centres in, static transmission error out."""
