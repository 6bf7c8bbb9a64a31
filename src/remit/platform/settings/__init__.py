"""Settings: file < environment < flag; an unknown name is an error with the nearest known one."""
