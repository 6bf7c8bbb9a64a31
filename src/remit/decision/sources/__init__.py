"""Which data informed an agent: documents and results in its context, their labels, and where those bind.

Pure: no clock, no I/O, no SQL. Labels follow the task through every agent of its chain; who may be believed
is not judged here, that is `provenance`.
"""
