"""Estimators; none of them knows a study."""
