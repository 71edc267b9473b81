"""Decide what runs next: pure state, no clock, no input or output."""
