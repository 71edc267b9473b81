"""Run directories, which are the truth, and the SQLite index over them, which can be rebuilt."""
