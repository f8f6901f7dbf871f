"""What this process has done since it started, for `/metrics`: counters without ids or persons."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

REQUESTS = Counter("kinbind_http_requests", "Requests answered.", ("method", "route", "status"))
SECONDS = Histogram(
    "kinbind_http_request_duration_seconds",
    "Time from request to answer.",
    ("method", "route"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)
REFUSALS = Counter("kinbind_refusals", "Problem documents sent, by code.", ("code",))
REPLAYS = Counter("kinbind_idempotent_replays", "Answers given again under their idempotency key.")
