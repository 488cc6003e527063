"""How the documentation site is made: `python -m docs.site`."""
