"""What every service is: settings, migrations, wiring, and an orderly start and end."""

from common.service.definition import Service
from common.service.hosting import hosted
from common.service.process import run
from common.service.runtime import Runtime

__all__ = ["Runtime", "Service", "hosted", "run"]
