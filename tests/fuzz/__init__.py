"""Fuzzing: random command lines and damaged files end in a message for the user, never in a traceback."""
