"""A blocking module run in a process of its own: the long work of a job.

``parent`` starts, follows and ends it from the event loop; ``child`` is what such a module is
written with; ``wire`` is what the two say to each other: one JSON object a line.
"""
