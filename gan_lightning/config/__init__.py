"""The configuration: where conf/ is, what its keys may hold, what an error means."""
