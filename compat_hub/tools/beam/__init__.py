"""A module in an Apache Beam pipeline."""
