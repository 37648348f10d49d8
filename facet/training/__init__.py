"""The training loop of every system and encoder, with checkpoints, warm starts and several processes."""
