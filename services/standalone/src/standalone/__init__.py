"""The product on one machine, and the ``strongroom`` command."""

import os
import sys

# Not even typing is imported here: what __main__ says of the collector shall come before it.
# Looking for plugins that nobody has takes pydantic as long as a short command takes in all.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# httpx brings a command line of its own, which draws: as if its extra were not installed.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # None: not to be found
