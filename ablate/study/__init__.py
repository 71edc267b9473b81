"""Study files and plan documents: read, and told all that is wrong with them at once."""
