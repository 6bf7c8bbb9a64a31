"""Who is related to what: OpenFGA's modelling language and its semantics, evaluated in memory.

Pure: no SQL, no HTTP, no asyncio, no clock. What is stored and how it is asked for over the wire is above.
"""
