"""What can be done with orders: place one, find one, list them, hold them against the books."""
