"""WHAT IS ON RECORD: records, the Merkle log that binds them, checkpoints, the offline verifier.

Imports `kernel` alone. Pure: storing is `platform.storage`'s work, behind the Protocols in `repository`.
Holds digests, ids and codes: never a token, a secret or prompt text.
"""
