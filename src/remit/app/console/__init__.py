"""What the screens of an operator ask: read models over every wing, one transaction each.

Nothing here decides or changes anything but `bulk`, which calls the use cases of the directory one by one.
"""
