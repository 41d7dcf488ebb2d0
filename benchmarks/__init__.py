"""What the product does in a second, held against what the machine underneath could do.

Each benchmark starts everything that it compares, lets the sides take turns in one run, checks what
they wrote, and prints one line that ends in the ratio. A ratio of one run is all that counts on a
shared machine; none of this is a test that could fail on a time.
"""
