"""The product on one machine, and the ``strongroom`` command."""

import os

# Looking for plugins that nobody has takes pydantic as long as a short command takes in all.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
