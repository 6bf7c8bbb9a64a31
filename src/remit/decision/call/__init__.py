"""What is asked: one proposed call, whom it is for, and what names it."""
