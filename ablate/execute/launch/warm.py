"""Preloaded into the fork server, never imported elsewhere: it moves the process to its own group.

Importing is the only hook that the standard library's fork server offers. A closed terminal or a
Ctrl-C must reach the orchestrator alone, which then asks the workers to stop; a fork server that
died of it could no longer tell how its workers ended.
"""

from __future__ import annotations

from ablate.execute.worker.main import own_group

own_group()
