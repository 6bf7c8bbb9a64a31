"""Transports that carry messages to people: one file per kind, none knows another.

Each takes a `Parcel` and answers with a `Receipt`; addresses are judged before anything is connected to.
"""
