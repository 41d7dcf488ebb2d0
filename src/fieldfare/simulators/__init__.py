"""The other ends of the product, as real processes: for the demo, and for tests to talk to.

A simulator is reached over the network only, knows nothing of the product but its `kernel`, and
keeps its own record of what happened, so that the product's books can be held against it.
"""
