"""OpenID Connect: what a client learns of the person in front of it, as values and rules.

Sources: OpenID Connect Core 1.0, RP-Initiated Logout 1.0, Back-Channel Logout 1.0. `authority.oauth` imports
this package and does the protocol; nothing here imports that one. An ID token opens nothing anywhere.
"""
