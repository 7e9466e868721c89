"""What computes the blocks of a run: threads, processes, a cluster."""
