"""What `remit doctor` looks at when it follows a way from outside: each step in turn, each with its fix."""
