"""One run: its settings, the loop, and its folder."""
