"""Scores of samples: pure functions of features, the protocol by which they are measured, and the records kept."""
