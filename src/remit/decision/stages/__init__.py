"""The stages of the decision, and the fold over them: each looks at one call from one side."""
