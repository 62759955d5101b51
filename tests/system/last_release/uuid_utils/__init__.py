"""A library that the last release uses, and this one no more."""
