"""What can be done with credits: look, adjust, verify."""
