"""Read study files, plan documents and settings; report all that is wrong with them at once."""
