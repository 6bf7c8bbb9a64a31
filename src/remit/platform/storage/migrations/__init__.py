"""The one chain of migrations, run by both engines: expand, deploy, contract; forward only."""
