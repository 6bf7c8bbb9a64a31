"""MAY IT, NOW: one pipeline decides every consequential action anew.

Imports `authority`, `identity`, `ledger` and `kernel`. Rules are pure; `service` alone waits for anything.
"""
