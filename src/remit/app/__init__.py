"""Who knows everything: the only place that binds Protocols to implementations.

`services` composes, `bindings` holds the thin adapters between wings, `subscriptions` binds facts to
handlers, `jobs` what runs by itself, `run` a process. Nothing imports it but `surface`.
"""
