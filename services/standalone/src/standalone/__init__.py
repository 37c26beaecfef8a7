"""The product on one machine, and the ``strongroom`` command."""

import os
import sys
from typing import Any, cast

# Looking for plugins that nobody has takes pydantic as long as a short command takes in all.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# httpx brings a command line of its own, which draws: as if its extra were not installed.
cast(Any, sys.modules).setdefault("httpx._main", None)
