"""Policies tried out: scenarios written down beside them, judged by the real evaluator, nothing recorded."""
