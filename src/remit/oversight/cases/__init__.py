"""Cases: what an agent asks a person inside a task, and the answer that returns into it (R77)."""
