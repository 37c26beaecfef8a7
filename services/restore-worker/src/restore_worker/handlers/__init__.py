"""One module for each command: how it is run, and what is told of its end."""
