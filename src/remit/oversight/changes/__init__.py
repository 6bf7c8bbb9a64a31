"""Administration that takes two: a change is proposed by one person and confirmed by another, with a passkey.

What is confirmed is a digest over exactly what will be done and what it stands on. Nobody confirms their own
change, under whatever account. Taking authority away never waits for anybody.
"""
