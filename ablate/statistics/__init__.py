"""Pure functions on arrays: paired comparisons, intervals, power. No torch, no files."""
