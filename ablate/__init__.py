"""Ablation studies that researchers can trust."""

__version__ = "0.1.0"
