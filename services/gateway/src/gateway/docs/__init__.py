"""The interactive documentation, served from here alone."""
