"""Scores: pure functions of features; `Yardstick` is the protocol that names them and stands them beside a floor."""
