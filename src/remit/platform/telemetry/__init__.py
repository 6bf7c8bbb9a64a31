"""What the process says about itself: logs, spans, figures. All may be lost; the ledger may not.

None of them ever holds a token, a secret or content: ids, codes and counts alone.
"""
