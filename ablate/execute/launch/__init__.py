"""Start, stop and watch workers; one module per kind of place where they run."""
