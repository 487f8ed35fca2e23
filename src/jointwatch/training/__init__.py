"""The one fit loop with what it needs: batches, objectives, seeds, checkpoints, progress, synthetic anomalies."""
