"""The world outside on your own machine: a local Discord and sample upstreams. Imports neither bot nor agents."""
