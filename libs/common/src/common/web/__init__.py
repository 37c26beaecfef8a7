"""What every HTTP application of Strongroom has: headers, log, limits and one form of error."""

from common.web.application import create_app
from common.web.edge import Edge
from common.web.errors import ErrorAnswer, error_answers, error_response
from common.web.middleware import always_send

__all__ = ["Edge", "ErrorAnswer", "always_send", "create_app", "error_answers", "error_response"]
