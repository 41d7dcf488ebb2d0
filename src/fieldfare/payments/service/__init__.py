"""What can be done with payments: find out what became of one, take events, keep rates."""
