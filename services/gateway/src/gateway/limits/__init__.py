"""How often somebody may ask, and how often somebody may fail to log in."""
