"""The configuration: composing it, checking it, and saying what is wrong with it."""
