"""ASK, TELL, STOP: approvals by people, the kill switch."""
