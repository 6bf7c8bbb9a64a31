"""The words that every wing speaks: ids, time, errors, canonical bytes, events, the unit of work.

Imports nothing of ours. Pure: no input or output, no clock and no randomness of its own except in the
two adapters named `System…`.
"""
