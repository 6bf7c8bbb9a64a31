"""What decisions are made on: one view at one revision, and a call with its facts gathered from it."""
