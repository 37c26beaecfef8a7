"""Sessions that are open, and ending them."""
