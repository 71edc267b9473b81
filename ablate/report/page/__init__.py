"""Build one self-contained HTML page per study."""
