"""Backups: what is written, how it is checked, and how a database is made of it again.

A backup is a folder with a `manifest.json`: a dump of one snapshot, and with an archive of the
write-ahead log also a base backup of the whole server, from which it is brought to any instant.
PostgreSQL's own programs do the work. What must hold: a folder of a backup's name is whole, as it
gets its name last; only its owner may read it; no address or password is in it or on a command
line; and a restored database is closed (`db.closing`) from the commit on that brings its rows back.
"""
