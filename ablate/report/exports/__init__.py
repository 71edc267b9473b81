"""Hand a study's records to other tools."""
