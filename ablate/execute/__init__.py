"""Run jobs: a pure scheduler, the launchers that start attempts, and the worker process."""
