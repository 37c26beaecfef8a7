"""What a service tells of itself: alive, ready, metrics."""

from common.health.certificate import Certificate
from common.health.checks import Check, Health, Report
from common.health.endpoints import create_app, routes
from common.health.server import serving

__all__ = ["Certificate", "Check", "Health", "Report", "create_app", "routes", "serving"]
