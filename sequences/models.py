"""Sequences, their steps and enrollments."""
