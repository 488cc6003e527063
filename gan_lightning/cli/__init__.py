"""The commands, one file each: its `Options` say what can be typed, its `main` does it."""
