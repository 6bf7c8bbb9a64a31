"""The authorization server without HTTP: who may have which token, and what a token proves.

OAuth 2.1, RFC 6749, 7009, 7523, 7662, 8414, 8693, 8707, 9068, 9396, 9449, 9728, 10070. Imports the nouns of
`authority`, `identity`, `ledger` and `kernel`. It issues no token without proof of a registered key, no
user's token without `act`, and no refresh token.
"""
