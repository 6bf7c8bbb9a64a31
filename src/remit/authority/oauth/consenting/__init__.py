"""What a person is offered, says yes to, and takes back."""
