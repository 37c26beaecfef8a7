"""Long work under leases: taken with a free slot, fenced, handed over, never done twice."""

from common.jobs.job import Job, JobHandler
from common.jobs.running import Rules
from common.jobs.worker import Jobs, purge

__all__ = ["Job", "JobHandler", "Jobs", "Rules", "purge"]
