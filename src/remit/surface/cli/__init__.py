"""The command line: parses, calls one operation of the API, renders. Never a rule, never SQL.

Everything heavy is imported by the command that needs it: `remit --help` is felt.
"""
