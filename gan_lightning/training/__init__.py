"""One run: its folder, its arithmetic, and how it is trained from start to end."""
