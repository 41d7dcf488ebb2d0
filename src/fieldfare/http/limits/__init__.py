"""How many requests a caller may make: accounts by all processes together, strangers by address.

`gate` is asked for each request, and `heartbeat` shares the accounts' buckets out once a second.
`http.heartbeat` has a row for each process that serves. Invariant: no request waits for it.
"""
