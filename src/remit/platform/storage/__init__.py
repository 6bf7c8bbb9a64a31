"""The system of record: one unit of work over SQLite (embedded) or PostgreSQL.

Reached through `app` alone. Every wing's repositories are implemented in `repositories/<wing>.py` over
the tables in `tables/<wing>.py`.
"""
