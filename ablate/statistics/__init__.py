"""Pure functions on arrays: the analysis of a study, verdicts, the stopping rule. No files."""
