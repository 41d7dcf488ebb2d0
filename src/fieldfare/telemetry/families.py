"""Every metric of the product, flat; docs/operating/metrics.md says what each is good for.

A test holds that page to these lists. What a client could choose freely is no label's value: a
route stands for its paths, a processor's object for its id. Nor is one called `job` or `instance`:
Prometheus writes its own there.
"""

from fieldfare.telemetry.meters import Counter, Gauge, Histogram, Reading

_REQUEST_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)
_COMMIT_S = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 5.0)
_JOB_S = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)
_CALL_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 100.0)

REQUESTS = Histogram(
    "fieldfare_http_request_duration_seconds",
    "From the first byte of a request's head to the last of its answer, by route.",
    ("method", "route", "status"),
    bounds=_REQUEST_S,
)
REFUSED = Counter(
    "fieldfare_http_requests_refused_total",
    "Requests that were sent away to come again later (429, 503), by error code.",
    ("code",),
)
ORDER_OUTCOMES = Counter(
    "fieldfare_orders_total",
    "Orders whose outcome is committed.",
    ("kind", "method", "outcome"),
)
MONEY = Counter(
    "fieldfare_money_minor_units_total",
    "Committed movements of customers' money, in the smallest unit of the currency.",
    ("kind", "method", "currency"),
)
GROUP_ORDERS = Histogram(
    "fieldfare_group_commit_orders",
    "Orders from credits that shared one statement and one commit.",
    bounds=(1, 2, 4, 8, 16, 32, 64),
)
GROUP_S = Histogram(
    "fieldfare_group_commit_duration_seconds",
    "How long the statement and the commit of a group took.",
    ("outcome",),
    bounds=_COMMIT_S,
)
ORDERS_WAITING = Gauge(
    "fieldfare_orders_waiting",
    "Orders from credits that wait for their group, or apart for a wallet that is held.",
    ("place",),
)
RELAYED = Counter("fieldfare_outbox_relayed_total", "Rows of the outbox made into jobs.")
JOB_S = Histogram(
    "fieldfare_job_duration_seconds",
    "How long each run of a job took, by how it ended.",
    ("job_name", "outcome"),
    bounds=_JOB_S,
)
JOB_WAIT_S = Histogram(
    "fieldfare_job_wait_seconds",
    "From the instant that a queued job was due to the start of its run.",
    ("job_name",),
    bounds=_JOB_S,
)
CALLS = Histogram(
    "fieldfare_processor_call_duration_seconds",
    "Calls to the card processor, without the wait for their turn.",
    ("operation", "outcome"),
    bounds=_CALL_S,
)
TURN_S = Histogram(
    "fieldfare_processor_turn_wait_seconds",
    "How long a call to the card processor waited for its turn.",
    ("line",),
    bounds=_CALL_S,
)
CALLS_WAITING = Gauge(
    "fieldfare_processor_waiting",
    "What waits for a turn at the card processor: new, or begun already.",
    ("line",),
)
CONNECTIONS = Gauge(
    "fieldfare_database_connections",
    "Connections of the processes' pools: in use, or idle.",
    ("state",),
)
CONNECTIONS_MOST = Gauge(
    "fieldfare_database_connections_max", "Connections that the processes' pools may grow to."
)
RESTARTS = Counter(
    "fieldfare_process_restarts_total",
    "Processes that died and were started again by the one that watches them.",
    ("role",),
)

COUNTED: tuple[Counter | Histogram, ...] = (
    REQUESTS,
    REFUSED,
    ORDER_OUTCOMES,
    MONEY,
    GROUP_ORDERS,
    GROUP_S,
    RELAYED,
    JOB_S,
    JOB_WAIT_S,
    CALLS,
    TURN_S,
    RESTARTS,
)
"""Added up over all processes, those that have ended among them."""
WATCHED: tuple[Gauge, ...] = (ORDERS_WAITING, CALLS_WAITING, CONNECTIONS, CONNECTIONS_MOST)
"""Added up over the processes of one role that live; `role` is a label of each."""

PROCESSES = Reading("fieldfare_processes", "Processes that live.", ("role",))
SILENT_S = Reading(
    "fieldfare_process_silent_seconds",
    "Since the process of that role that has been silent for longest was last heard of.",
    ("role",),
)
BUILD = Reading("fieldfare_build_info", "1, with what is running.", ("version", "schema"))
PACE = Reading(
    "fieldfare_processor_calls_per_second_max",
    "Calls to the card processor that all processes together may make in a second.",
)
READABLE = Reading(
    "fieldfare_database_readable",
    "1 if what follows could be read from the database, 0 if not: then it is left out.",
)
OUTBOX_ROWS = Reading("fieldfare_outbox_rows", "Rows of the outbox, up to 100,000.", ("state",))
OUTBOX_AGE_S = Reading(
    "fieldfare_outbox_oldest_due_seconds", "How long the oldest row that is due has been so."
)
UNKNOWN = Reading(
    "fieldfare_unknown_outcomes",
    "Charges and refunds that have been pending for over a minute, up to 10,000.",
    ("kind",),
)
UNKNOWN_AGE_S = Reading(
    "fieldfare_unknown_outcome_oldest_seconds", "Since the oldest of these was begun.", ("kind",)
)
EXCEPTIONS = Reading(
    "fieldfare_exceptions_open", "What a person has to look at: `fieldfare exceptions`.", ("kind",)
)
JOBS = Reading(
    "fieldfare_jobs", "Jobs in the queue: waiting, running or held.", ("job_name", "state")
)
JOB_AGE_S = Reading(
    "fieldfare_job_oldest_seconds",
    "Since the oldest job that waits or runs was queued.",
    ("job_name",),
)
MONTHS_AHEAD_S = Reading(
    "fieldfare_partitions_ahead_seconds",
    "How far ahead a large table has partitions for its rows, up to 730 days.",
    ("table",),
)

READ: tuple[Reading, ...] = (PROCESSES, SILENT_S, BUILD, PACE, READABLE)
"""Read by whoever answers a scrape, from its own machine."""
STORED: tuple[Reading, ...] = (
    OUTBOX_ROWS,
    OUTBOX_AGE_S,
    UNKNOWN,
    UNKNOWN_AGE_S,
    EXCEPTIONS,
    JOBS,
    JOB_AGE_S,
    MONTHS_AHEAD_S,
)
"""Read from the database: the same on every machine, so never to be added up."""

ROLE = "role"
FAMILIES = (*COUNTED, *WATCHED, *READ, *STORED)
