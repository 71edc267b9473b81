"""From a study's results to the content of its tables."""
