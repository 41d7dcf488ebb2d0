"""What can be asked about impact: an account's totals and rank, and its orders."""
