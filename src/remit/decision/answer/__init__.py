"""What is answered: an effect with its reasons, in the words that every other room uses."""
