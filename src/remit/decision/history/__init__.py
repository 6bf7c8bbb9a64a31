"""What was done before: marks that permitted calls leave, and the rules that look at them."""
