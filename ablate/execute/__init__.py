"""From jobs to attempts: a pure scheduler, launchers that do its bidding, the worker's entry."""
