"""People who come from a provider of the company's own: OpenID Connect Core 1.0 as relying party, SAML 2.0.

Who arrives is known by (issuer, subject) alone, never by an e-mail address, and only as somebody whom the
directory lets act: a provider's word makes nobody alive again. Nothing here gives rights.
"""
