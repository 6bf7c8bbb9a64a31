"""Where each value of a call came from, and whether it may steer a consequential effect (N13).

Pure: no clock, no I/O, no SQL. Imported by `decision` and `app`; by the gateway only through them. It never
looks for "malicious text": text is untrusted by where it came from, and what matters is which of its values
reach an effect.
"""
