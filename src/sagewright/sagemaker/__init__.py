"""The control plane: one folder per chapter of the SageMaker documentation; none imports another."""
