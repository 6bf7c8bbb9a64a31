"""What calls may take: meters, costs and what is said when an account runs short (N27, R150)."""
