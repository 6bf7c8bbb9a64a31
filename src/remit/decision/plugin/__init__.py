"""Facts that come from outside: what a plugin is, what it may say, and who must not decide without it."""
