"""What can be done with notifications; one module for each use case."""
