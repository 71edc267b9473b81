"""Draw a study's figures."""
