"""The kill switch: one transaction, every plane, a result that can be proven."""
