"""How people are reached: what is told to whom, through which channels in which order, and what came of it.

`service` and `delivery` own one unit of work per step; transports are `platform.channels`.
Nothing here answers an ask: a message leads to a page behind sign-in, and telling is never asking twice.
"""
