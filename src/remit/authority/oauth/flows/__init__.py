"""Flows in which a person answers elsewhere: devices, and clients that ask behind the scenes."""
