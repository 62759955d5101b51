"""A release to come, for the test of a deploy: the same code, and a migration more."""
