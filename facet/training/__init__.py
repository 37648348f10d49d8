"""The training loop of all systems and encoders, with checkpoints, warm starts and several processes."""
