"""Index to tidy frames, statistics, tables, figures and page."""
