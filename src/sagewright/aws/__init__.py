"""The substrate: one folder per AWS service that a SageMaker user touches, each independent of its neighbours."""
