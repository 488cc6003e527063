"""Studies: arms x data sets x seeds, each a run of the same budget, trained, scored and compared."""
