"""Every metric of the platform, on one page. All carry the label ``service``."""

from importlib.metadata import PackageNotFoundError, version

from prometheus_client import Counter, Gauge, Histogram

_SHORT = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)
_LONG = (1, 10, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600)

BUILD = Gauge("strongroom_build_info", "The version that runs, as a label.", ["service", "version"])

JOBS_RUNNING = Gauge("strongroom_jobs_running", "Jobs at work here.", ["service", "type"])
JOBS_WAITING = Gauge(
    "strongroom_jobs_waiting", "Jobs handed over or waiting for a new attempt.", ["service"]
)
JOBS_ENDED = Counter(
    "strongroom_jobs_ended_total", "Jobs that ended here.", ["service", "type", "outcome"]
)
JOB_SECONDS = Histogram(
    "strongroom_job_duration_seconds",
    "From taking a job to its end here.",
    ["service", "type", "outcome"],
    buckets=_LONG,
)
LEASE_TAKEOVERS = Counter(
    "strongroom_lease_takeovers_total", "Jobs taken over from a silent worker.", ["service"]
)
LEASES_LOST = Counter("strongroom_leases_lost_total", "Leases that this worker lost.", ["service"])

OUTBOX_DEPTH = Gauge("strongroom_outbox_depth", "Messages not yet on the bus.", ["service"])
OUTBOX_AGE = Gauge(
    "strongroom_outbox_age_seconds", "Age of the oldest message not yet on the bus.", ["service"]
)
OUTBOX_PARKED = Gauge(
    "strongroom_outbox_parked", "Messages that the bus refuses, set aside.", ["service"]
)

MESSAGES = Counter(
    "strongroom_messages_total", "Messages handled.", ["service", "queue", "outcome"]
)
MESSAGE_SECONDS = Histogram(
    "strongroom_message_duration_seconds",
    "Time to handle a message.",
    ["service", "queue"],
    buckets=_SHORT,
)
CONSUMER_LAG = Gauge(
    "strongroom_consumer_lag_seconds",
    "How long the newest handled message had been on its way.",
    ["service", "queue"],
)
QUEUE_DEPTH = Gauge("strongroom_queue_depth", "Messages waiting.", ["service", "queue"])

SECURITY_EVENTS = Counter(
    "strongroom_security_events_total",
    "Limited requests, failed logins, lockouts, refused input and files.",
    ["service", "event"],
)


def build_version() -> str:
    """The installed version of the platform's library."""
    try:
        return version("strongroom-common")
    except PackageNotFoundError:
        return "unknown"
