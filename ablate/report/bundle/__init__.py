"""A reviewer's bundle: all that a report's numbers come from in one archive, and its check."""
